package hook

// Parse has a source's parser read a message, for tests.
func (s *Source) Parse(contentType string, body []byte) ([]Alert, error) {
	return parsers()[s.Kind](s, contentType, body)
}
