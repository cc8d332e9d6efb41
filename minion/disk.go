package minion

import (
	"errors"
	"net"
	"net/http"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// onDisk brings to the disk what a function changed, before anyone is told that it did: after a power cut a return in
// the journal must not tell of files that are not there.
func onDisk(disk *host.Disk, states bool, r module.Returned, err error) (module.Returned, error) {
	lost := disk.Sync()
	if lost == nil {
		return r, err
	}
	r.Retcode = max(r.Retcode, 1)
	if results, ok := r.Value.(*value.Dict); ok && err == nil && states {
		results.Put(lostTag, lostResult(results.Len(), lost))
		return r, nil
	}
	return r, errors.Join(err, lost)
}

// lostTag is where the results of states tell that they may not outlive a power cut.
const lostTag = "file_|-disk_|-disk_|-sync"

func lostResult(number int, lost error) *value.Dict {
	return value.NewDict("name", "disk", "changes", &value.Dict{}, "result", false, "comment", lost.Error(),
		"__sls__", "", "__run_num__", int64(number), "start_time", time.Now().Format("15:04:05.000000"),
		"duration", 0.0, "__id__", "disk")
}

// web fetches what states have from servers that are no masters. A transfer may take as long as it needs, but not
// stand still before it begins.
var web = &http.Client{Transport: &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	DialContext:           (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
	TLSHandshakeTimeout:   30 * time.Second,
	ResponseHeaderTimeout: time.Minute,
	IdleConnTimeout:       10 * time.Second,
}}
