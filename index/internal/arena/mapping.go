package arena

// Data is the content of the file, valid as long as m is reachable.
func (m *Mapping) Data() []byte { return m.data }
