package master

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/pushed"
	"brine/pki"
	"brine/proto"
	"brine/proto/manifest"
)

const maxJoinRequest = 4 << 10

// listenWeb opens the HTTPS listener: the other masters are told its address.
func (m *Master) listenWeb(context.Context) (func(), error) {
	l, err := net.Listen("tcp", m.o.Config.Listen.Files)
	if err != nil {
		return nil, listenError("listen.files", err)
	}
	m.webListener = l
	m.address.Files = advertised(m.o.Config.Advertise.Files, l.Addr().String())
	m.listening.Files = l.Addr().String()
	return func() { _ = l.Close() }, nil // startWeb's stop has closed it before
}

// startWeb serves HTTPS: content by hash, joining, and the trust bundle.
func (m *Master) startWeb(context.Context) (func(), error) {
	mux := http.NewServeMux()
	mux.Handle("GET /blob/", m.files)
	mux.Handle("POST "+manifest.ManyPath, m.files)
	mux.Handle("PUT "+pushed.Prefix, m.pushed)
	mux.HandleFunc("POST /join", m.join)
	m.addHooks(mux)
	mux.HandleFunc("POST "+bundlePath, m.swapBundle)
	m.web = &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog:     m.log.Named("https").StandardLogger(nil),
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1: one stream of bytes a connection is what files need
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := m.web.Serve(tls.NewListener(m.webListener, pki.FilesTLS(m.id, m.trust))); err != http.ErrServerClosed {
			m.fail(err)
		}
	}()
	return func() {
		_ = m.web.Close() // it closes the listener; what it says of that helps nobody
		<-served
	}, nil
}

// join lets a further master in: whoever shows the proof of an invitation
// gets what only its secret opens, and the rest of what a master holds.
func (m *Master) join(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJoinRequest))
	req := &proto.JoinRequest{}
	if err == nil {
		err = pb.Unmarshal(data, req)
	}
	if err != nil {
		http.Error(w, "cannot read the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	kit, err := m.keys.Join(r.Context(), req.Proof, req.Name)
	if err != nil {
		m.log.Warn("join refused", "name", req.Name, "address", r.RemoteAddr, "err", err)
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	reply, err := m.joinReply(r.Context(), kit)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(reply) // whoever has gone asks again, with a new invitation
}

func (m *Master) joinReply(ctx context.Context, kit []byte) ([]byte, error) {
	siteKey, err := readFile(m.layout.SiteKey())
	if err != nil {
		return nil, err
	}
	masters, err := m.store.Masters(ctx)
	if err != nil {
		return nil, err
	}
	return pb.Marshal(&proto.JoinReply{
		CaCertificate: m.id.CA.Raw, SiteKey: siteKey, Bundle: m.trust.Envelope(), Masters: masters, Kit: kit,
	})
}
