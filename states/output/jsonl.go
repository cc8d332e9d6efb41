package output

import "io"

// line writes {"minion": value} in one line.
func line(w io.Writer, minion string, returned []byte, _ Options) error {
	compact, err := object(minion, returned)
	if err != nil {
		return err
	}
	_, err = w.Write(append(compact, '\n'))
	return err
}
