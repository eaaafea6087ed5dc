// Package wire is what both services of a worker have in common on the wire: the form of
// vectors, and the statuses of refusals.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ErrProtocol is wrapped by errors about replies that do not say what they must.
var ErrProtocol = errors.New("remote: worker broke the protocol")

// Float32Bytes is the size of a component.
const Float32Bytes = 4

// PackVectors makes the wire's form of vectors: float32, little-endian.
func PackVectors(vectors []float32) []byte {
	raw := make([]byte, len(vectors)*Float32Bytes)
	for i, x := range vectors {
		binary.LittleEndian.PutUint32(raw[i*Float32Bytes:], math.Float32bits(x))
	}
	return raw
}

// UnpackVectors reads the wire's form into out, which it fills exactly. It refuses what
// is not finite, since one such number spoils every comparison later on.
func UnpackVectors(raw []byte, out []float32) error {
	if len(raw) != len(out)*Float32Bytes {
		return fmt.Errorf("%w: %d bytes of vectors, want %d float32 of %d bytes", ErrProtocol, len(raw), len(out), Float32Bytes)
	}
	const exponent = 0xff << 23 // all ones: infinite, or not a number
	for i := range out {
		bits := binary.LittleEndian.Uint32(raw[i*Float32Bytes:])
		if bits&exponent == exponent {
			return fmt.Errorf("%w: component %d is %g; vectors are finite", ErrProtocol, i, math.Float32frombits(bits))
		}
		out[i] = math.Float32frombits(bits)
	}
	return nil
}

// RetryAfter is what is asked for where nothing better is known.
const RetryAfter = 100 * time.Millisecond

// Detailed is a status with details.
func Detailed(code codes.Code, message string, details ...protoadapt.MessageV1) error {
	st := status.New(code, message)
	if with, err := st.WithDetails(details...); err == nil {
		st = with
	}
	return st.Err()
}

// Invalid is INVALID_ARGUMENT with its field violation.
func Invalid(field, description string) error {
	return Detailed(codes.InvalidArgument, field+": "+description, &errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: description}},
	})
}

// RetryHint is what a status says of when to come back; false: nothing.
func RetryHint(err error) (time.Duration, bool) {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return min(max(info.GetRetryDelay().AsDuration(), 0), longestHint), true
		}
	}
	return 0, false
}

// longestHint bounds what a worker may ask for, so that a wrong figure stalls nobody.
const longestHint = 10 * time.Second

// Exhausted is RESOURCE_EXHAUSTED with RetryInfo.
func Exhausted(message string) error {
	return Detailed(codes.ResourceExhausted, message, &errdetails.RetryInfo{RetryDelay: durationpb.New(RetryAfter)})
}
