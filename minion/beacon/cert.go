package beacon

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/value"
)

const notifyDays = 45

// certInfo tells of certificates that end soon.
func certInfo(s *section, _ *env) looker {
	type watched struct {
		path string
		days float64
	}
	days := s.number("notify_days", notifyDays)
	var all []watched
	for _, item := range s.list("files") {
		switch f := item.(type) {
		case string:
			all = append(all, watched{f, days})
		case *value.Dict:
			for k, v := range f.All() {
				one := s.under("files", v)
				all = append(all, watched{value.KeyText(k), one.number("notify_days", days)})
				one.end()
			}
		default:
			s.wrong("files", "want paths, got %s", value.Kind(item))
		}
	}
	if len(all) == 0 {
		s.wrong("", "want files in it")
	}
	return func(_ context.Context, h *host.Host) ([]reading, error) {
		list, state := value.NewList(), strings.Builder{}
		var errs []error
		for _, w := range all {
			c, err := certificate(h, w.path)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			now := time.Now()
			if left := math.Floor(c.NotAfter.Sub(now).Hours() / 24); w.days < 0 || left <= w.days {
				list.Items = append(list.Items, certDict(w.path, c, now))
				fmt.Fprintf(&state, "%s %v %v\n", w.path, c.SerialNumber, now.After(c.NotAfter))
			}
		}
		r := reading{data: value.NewDict("certificates", list), state: state.String(), tell: len(list.Items) > 0}
		if !r.tell {
			r.state, r.quiet = below, true
		}
		r.first = below
		return []reading{r}, errors.Join(errs...)
	}
}

func certificate(h *host.Host, name string) (*x509.Certificate, error) {
	data, err := os.ReadFile(h.Path(name))
	if err != nil {
		return nil, fmt.Errorf("cannot read a certificate: %w", err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("cannot read the certificate in %s: %w", name, err)
			}
			return c, nil
		}
	}
	return nil, fmt.Errorf("cannot read the certificate in %s: there is none", name)
}

// certDict is a certificate in Salt's words.
func certDict(name string, c *x509.Certificate, now time.Time) *value.Dict {
	issuer, issuerDict := distinguished(c.Issuer)
	subject, subjectDict := distinguished(c.Subject)
	extensions := value.NewList()
	for _, e := range c.Extensions {
		extensions.Items = append(extensions.Items, value.NewDict("ext_name", extensionName(e.Id), "ext_data", extensionText(c, e)))
	}
	raw := func(t time.Time) string { return t.UTC().Format("20060102150405Z") }
	shown := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
	return value.NewDict("cert_path", name, "issuer", issuer, "issuer_dict", issuerDict,
		"notAfter_raw", raw(c.NotAfter), "notAfter", shown(c.NotAfter), "notBefore_raw", raw(c.NotBefore), "notBefore", shown(c.NotBefore),
		"serial_number", value.Int(c.SerialNumber), "signature_algorithm", c.SignatureAlgorithm.String(),
		"subject", subject, "subject_dict", subjectDict, "version", int64(c.Version-1), "extensions", extensions,
		"has_expired", now.After(c.NotAfter))
}

// distinguished is a name as text and by its parts.
func distinguished(n pkix.Name) (string, *value.Dict) {
	short := map[string]string{"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
		"2.5.4.5": "serialNumber", "1.2.840.113549.1.9.1": "emailAddress", "0.9.2342.19200300.100.1.25": "DC"}
	d := &value.Dict{}
	var parts []string
	for _, a := range n.Names {
		name, ok := short[a.Type.String()]
		if !ok {
			name = a.Type.String()
		}
		text := fmt.Sprint(a.Value)
		parts = append(parts, fmt.Sprintf("%s=%q", name, text))
		d.Put(name, text)
	}
	return strings.Join(parts, ","), d
}

func extensionName(id asn1.ObjectIdentifier) string {
	names := map[string]string{"2.5.29.14": "subjectKeyIdentifier", "2.5.29.15": "keyUsage", "2.5.29.17": "subjectAltName",
		"2.5.29.19": "basicConstraints", "2.5.29.31": "crlDistributionPoints", "2.5.29.32": "certificatePolicies",
		"2.5.29.35": "authorityKeyIdentifier", "2.5.29.37": "extendedKeyUsage", "1.3.6.1.5.5.7.1.1": "authorityInfoAccess"}
	if name, ok := names[id.String()]; ok {
		return name
	}
	return id.String()
}

// extensionText is an extension as people read it: names it is for, whether it is an authority; bytes of others.
func extensionText(c *x509.Certificate, e pkix.Extension) string {
	switch extensionName(e.Id) {
	case "subjectAltName":
		var all []string
		for _, n := range c.DNSNames {
			all = append(all, "DNS:"+n)
		}
		for _, ip := range c.IPAddresses {
			all = append(all, "IP Address:"+ip.String())
		}
		for _, m := range c.EmailAddresses {
			all = append(all, "email:"+m)
		}
		for _, u := range c.URIs {
			all = append(all, "URI:"+u.String())
		}
		return strings.Join(all, ", ")
	case "basicConstraints":
		if c.IsCA {
			return "CA:TRUE"
		}
		return "CA:FALSE"
	case "subjectKeyIdentifier":
		return fmt.Sprintf("% X", c.SubjectKeyId)
	}
	return fmt.Sprintf("% X", e.Value)
}
