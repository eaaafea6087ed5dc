package service

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// patience bounds how long next waits for a slow client: for each part of a body and of an
// answer, and for the whole body of a call that is no stream.
func (s *Service) patience(next http.Handler) http.Handler {
	streams := map[string]bool{}
	for service, info := range s.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			streams["/"+service+"/"+m.Name] = m.IsClientStream
		}
	}
	part := s.config.ReadTimeout
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		body := &patientBody{ReadCloser: r.Body, control: control, part: part}
		if !streams[r.URL.Path] {
			body.end = time.Now().Add(4 * part)
		}
		r.Body = body
		next.ServeHTTP(&patientWriter{ResponseWriter: w, control: control, part: part}, r)
		if body.late.Load() {
			panic(http.ErrAbortHandler) // how net/http is told to end the connection: half a request is in it
		}
	})
}

// patientBody gives each read its time.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
	part    time.Duration
	end     time.Time   // of the whole; zero: none
	late    atomic.Bool // a read was not done in time, or failed otherwise
}

// Read reads before the deadline. Afterwards there is none: the server's own watch for a
// client that goes away would end a call that takes long.
func (b *patientBody) Read(p []byte) (int, error) {
	deadline := time.Now().Add(b.part)
	if !b.end.IsZero() && b.end.Before(deadline) {
		deadline = b.end
	}
	if err := b.control.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if err == nil || err == io.EOF {
		b.control.SetReadDeadline(time.Time{}) // fails only on a connection that is gone
	} else {
		b.late.Store(true)
	}
	return n, err
}

// patientWriter gives each write its time.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	part    time.Duration
}

// Write writes before the deadline.
func (w *patientWriter) Write(p []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(p)
}

// Flush sends what was written.
func (w *patientWriter) Flush() {
	w.extend()
	w.control.Flush() // a client that is gone is seen by the next Write
}

// Unwrap is for http.ResponseController.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *patientWriter) extend() {
	w.control.SetWriteDeadline(time.Now().Add(w.part)) // fails only on a connection that is gone
}
