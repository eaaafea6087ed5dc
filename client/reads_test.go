package client

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "google.golang.org/grpc/health/grpc_health_v1"
)

// What is repeated exists, is no stream, and no read was forgotten.
func TestReadsAreThoseOfTheContract(t *testing.T) {
	for service, methods := range reads {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
		if err != nil {
			t.Fatal(service, err)
		}
		for _, name := range methods {
			m := d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(name))
			if m == nil || m.IsStreamingClient() || m.IsStreamingServer() {
				t.Errorf("%s/%s is no unary call", service, name)
			}
		}
	}
	protoregistry.GlobalFiles.RangeFilesByPackage("kindred.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				m := s.Methods().Get(j)
				name := string(m.Name())
				reading := strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List")
				if reading && !m.IsStreamingServer() && !isRead("/"+string(s.FullName())+"/"+name) {
					t.Errorf("%s/%s reads, and is not among what may be repeated", s.FullName(), name)
				}
			}
		}
		return true
	})
}
