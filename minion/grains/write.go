package grains

import (
	"os"
	"path/filepath"

	"brine/states/host"
	"brine/states/mod/file"
)

// replace gives a file new content such that a crash leaves the old or the new one.
func replace(path string, data []byte, mode os.FileMode) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	return file.Write(&host.Host{}, path, file.As{Mode: uint32(mode.Perm()), Fix: true}, file.Bytes(data))
}
