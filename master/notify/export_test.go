package notify

import "errors"

// SetSender puts something in the place of a channel, for tests.
func (e *Engine) SetSender(channel string, s Sender) { e.senders[channel] = s }

// Refused makes the error of one who will not take a message, however often it is sent.
func Refused(err error) error { return &refused{err} }

// IsRefused tells whether it is one.
func IsRefused(err error) bool {
	r := (*refused)(nil)
	return errors.As(err, &r)
}
