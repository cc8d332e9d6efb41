package notify

// SetSender puts something in the place of a channel, for tests.
func (e *Engine) SetSender(channel string, s Sender) { e.senders[channel] = s }
