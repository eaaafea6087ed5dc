package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// withoutClass are the methods that take no permit, on purpose: Recommend is answered past its own, streams stay open, and
// administrative acts are few.
var withoutClass = []string{
	"RecommendationService/Recommend", "EventService/StreamEvents", "CatalogService/ImportItems", "CatalogService/RollbackCatalog",
	"ProfileService/EraseProfile", "AdminService/", "ModelService/", "PolicyService/", "ExperimentService/",
}

func TestEveryMethodHasItsClassOfCallsOrNone(t *testing.T) {
	methods := map[string]bool{}
	for _, service := range services() {
		for i := range service.Methods().Len() {
			name := fmt.Sprintf("%s/%s", service.Name(), service.Methods().Get(i).Name())
			full := "/kindred.v1." + name
			methods[full] = true
			listed := slices.ContainsFunc(withoutClass, func(prefix string) bool {
				return name == prefix || strings.HasSuffix(prefix, "/") && strings.HasPrefix(name, prefix)
			})
			if class, has := classOf[full]; !has && !listed || has && !slices.Contains(CallClasses, class) {
				t.Errorf("%s: class %q: give it one of %v, or list it among those without", name, class, CallClasses)
			}
		}
	}
	for name := range classOf {
		if !methods[name] {
			t.Errorf("%s has a class and does not exist", name)
		}
	}
}
