package manifests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

const deploy = "../../../deploy"

// types are the kinds that deploy/ may use: a file with another fails.
var types = map[string]func() any{
	"v1 ServiceAccount":                  func() any { return new(corev1.ServiceAccount) },
	"v1 ConfigMap":                       func() any { return new(corev1.ConfigMap) },
	"v1 Service":                         func() any { return new(corev1.Service) },
	"v1 PersistentVolumeClaim":           func() any { return new(corev1.PersistentVolumeClaim) },
	"apps/v1 StatefulSet":                func() any { return new(appsv1.StatefulSet) },
	"batch/v1 Job":                       func() any { return new(batchv1.Job) },
	"policy/v1 PodDisruptionBudget":      func() any { return new(policyv1.PodDisruptionBudget) },
	"networking.k8s.io/v1 NetworkPolicy": func() any { return new(networkingv1.NetworkPolicy) },
}

// foreign are kinds of other projects, which are read as YAML without keys twice.
var foreign = []string{"monitoring.coreos.com/v1 ServiceMonitor"}

// objects decodes all files strictly: an unknown field or a key twice is an error.
func objects(t *testing.T) map[string]any {
	t.Helper()
	files, err := filepath.Glob(deploy + "/kubernetes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	all := map[string]any{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, doc := range bytes.Split(raw, []byte("\n---\n")) {
			name := fmt.Sprintf("%s, document %d", filepath.Base(file), i+1)
			var meta metav1.PartialObjectMetadata
			if err := yaml.Unmarshal(doc, &meta); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			kind := meta.APIVersion + " " + meta.Kind
			key := meta.Kind + " " + meta.Name
			if _, twice := all[key]; twice || meta.Name == "" {
				t.Errorf("%s: %q is there twice, or has no name", name, key)
			}
			if slices.Contains(foreign, kind) {
				all[key] = map[string]any{}
			} else if make := types[kind]; make != nil {
				all[key] = make()
			} else {
				t.Fatalf("%s: %q is no kind that this test knows", name, kind)
			}
			into := all[key]
			if m, ok := into.(map[string]any); ok {
				into = &m
			}
			if err := yaml.UnmarshalStrict(doc, into); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	return all
}

func get[T any](t *testing.T, all map[string]any, key string) *T {
	t.Helper()
	v, ok := all[key].(*T)
	if !ok {
		t.Fatalf("there is no %s", key)
	}
	return v
}

func TestObjectsFitEachOther(t *testing.T) {
	all := objects(t)
	set := get[appsv1.StatefulSet](t, all, "StatefulSet kindred")
	pod := set.Spec.Template
	if *set.Spec.Replicas != 1 {
		t.Errorf("%d replicas would each have a store of their own", *set.Spec.Replicas)
	}
	selects := func(what string, s labels.Selector) {
		if s.Empty() || !s.Matches(labels.Set(pod.Labels)) {
			t.Errorf("%s selects %q, the pod has %v", what, s, pod.Labels)
		}
	}
	selector := func(s *metav1.LabelSelector) labels.Selector {
		out, err := metav1.LabelSelectorAsSelector(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	selects("the StatefulSet", selector(set.Spec.Selector))
	selects("the budget", selector(get[policyv1.PodDisruptionBudget](t, all, "PodDisruptionBudget kindred").Spec.Selector))
	network := get[networkingv1.NetworkPolicy](t, all, "NetworkPolicy kindred")
	selects("the network policy", selector(&network.Spec.PodSelector))

	ports := map[string]bool{}
	for _, p := range pod.Spec.Containers[0].Ports {
		ports[p.Name] = true
	}
	for _, name := range []string{"kindred", "kindred-ops"} {
		s := get[corev1.Service](t, all, "Service "+name)
		selects("service "+name, labels.SelectorFromSet(s.Spec.Selector))
		for _, p := range s.Spec.Ports {
			if !ports[p.TargetPort.StrVal] {
				t.Errorf("service %s has port %q, the container %v", name, p.TargetPort.StrVal, ports)
			}
		}
	}
	for _, rule := range network.Spec.Ingress {
		for _, p := range rule.Ports {
			if !ports[p.Port.StrVal] {
				t.Errorf("the network policy opens port %q, the container has %v", p.Port.StrVal, ports)
			}
		}
	}
	claim := set.Spec.VolumeClaimTemplates[0]
	first := get[corev1.PersistentVolumeClaim](t, all, "PersistentVolumeClaim "+claim.Name+"-kindred-0")
	if got, want := first.Spec.Resources.Requests.Storage(), claim.Spec.Resources.Requests.Storage(); got.Cmp(*want) != 0 {
		t.Errorf("the claim of the first key has %s, that of the StatefulSet %s", got, want)
	}
}

// Whatever runs is not root, cannot become so, and writes to its volumes alone.
func TestPodsAreLockedDown(t *testing.T) {
	all := objects(t)
	for name, pod := range map[string]corev1.PodSpec{
		"service":   get[appsv1.StatefulSet](t, all, "StatefulSet kindred").Spec.Template.Spec,
		"first key": get[batchv1.Job](t, all, "Job kindred-first-key").Spec.Template.Spec,
	} {
		s := pod.SecurityContext
		if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil || *pod.AutomountServiceAccountToken {
			t.Errorf("%s: the pod may be root, has no seccomp profile, or a token of the cluster", name)
		}
		mounts := map[string]bool{}
		for _, v := range pod.Volumes {
			mounts[v.Name] = true
		}
		mounts["data"] = true
		for _, c := range pod.Containers {
			x := c.SecurityContext
			if x == nil || x.ReadOnlyRootFilesystem == nil || !*x.ReadOnlyRootFilesystem || *x.AllowPrivilegeEscalation ||
				x.Capabilities == nil || !slices.Contains(x.Capabilities.Drop, "ALL") {
				t.Errorf("%s: container %s may write, or gain rights", name, c.Name)
			}
			if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
				t.Errorf("%s: container %s has no bound of memory, or asks for no processor", name, c.Name)
			}
			for _, m := range c.VolumeMounts {
				if !mounts[m.Name] {
					t.Errorf("%s: container %s mounts %q, which is no volume", name, c.Name, m.Name)
				}
			}
		}
	}
}
