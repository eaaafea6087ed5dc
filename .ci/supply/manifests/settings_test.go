package manifests

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// binary is the service: what KINDRED_BINARY names, else it is built.
func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("KINDRED_BINARY"); path != "" {
		return path
	}
	out := filepath.Join(t.TempDir(), "kindred")
	cmd := exec.Command("go", "build", "-C", "../../..", "-o", out, "./server")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	return out
}

// settings are what the service would run with under a file and flags.
func settings(t *testing.T, kindred string, args ...string) map[string]string {
	t.Helper()
	cmd := exec.Command(kindred, append([]string{"config", "print", "--json"}, args...)...)
	raw, err := cmd.Output()
	if err != nil {
		detail := ""
		if exit, ok := err.(*exec.ExitError); ok {
			detail = string(exit.Stderr)
		}
		t.Fatalf("config print %v: %v %s", args, err, detail)
	}
	var entries []struct{ Name, Value string }
	if err := json.Unmarshal(raw, &entries); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		all[e.Name] = e.Value
	}
	return all
}

// The settings that are deployed are settings of the service, and leave a stop its time.
func TestServiceTakesTheSettings(t *testing.T) {
	kindred := binary(t)
	all := objects(t)
	set := get[appsv1.StatefulSet](t, all, "StatefulSet kindred").Spec.Template.Spec
	file := filepath.Join(t.TempDir(), "kindred.yaml")
	if err := os.WriteFile(file, []byte(get[corev1.ConfigMap](t, all, "ConfigMap kindred").Data["kindred.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	got := settings(t, kindred, "--config", file)
	var stop time.Duration
	for _, name := range []string{"drain-delay", "drain"} {
		d, err := time.ParseDuration(got[name])
		if err != nil {
			t.Fatalf("%s is %q: %v", name, got[name], err)
		}
		stop += d
	}
	if grace := time.Duration(*set.TerminationGracePeriodSeconds) * time.Second; stop+10*time.Second > grace {
		t.Errorf("a stop may take %v and then writes what is in memory; Kubernetes kills it after %v", stop, grace)
	}
	delay, err := time.ParseDuration(got["drain-delay"])
	if err != nil {
		t.Fatal(err)
	}
	if period := time.Duration(set.Containers[0].ReadinessProbe.PeriodSeconds) * time.Second; delay < 2*period {
		t.Errorf("drain-delay is %v, less than two periods of %v of the readiness probe", delay, period)
	}

	job := get[batchv1.Job](t, all, "Job kindred-first-key").Spec.Template.Spec.Containers[0].Args
	args := slices.Clone(job)
	args[slices.Index(args, "/data")] = t.TempDir()
	if text, err := exec.Command(kindred, args...).CombinedOutput(); err != nil || !strings.Contains(string(text), "kd_") {
		t.Errorf("%v: %v\n%s; want a key", job, err, text)
	}
}

// The command of the image is one of the service, and so is its health check.
func TestImageRunsTheService(t *testing.T) {
	raw, err := os.ReadFile(deploy + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var command, check []string
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "CMD "); ok {
			if err := json.Unmarshal([]byte(rest), &command); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		if strings.HasPrefix(line, "HEALTHCHECK ") {
			if err := json.Unmarshal([]byte(line[strings.Index(line, "["):]), &check); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		if rest, ok := strings.CutPrefix(line, "FROM "); ok && (strings.Contains(rest, ":latest") || !strings.Contains(rest, ":")) {
			t.Errorf("%q is not pinned", strings.TrimSpace(line))
		}
	}
	if len(command) < 2 || command[0] != "serve" || len(check) < 2 || check[1] != "health" {
		t.Fatalf("CMD %v, HEALTHCHECK %v", command, check)
	}
	kindred := binary(t)
	settings(t, kindred, command[1:]...)
	text, err := exec.Command(kindred, check[1], "--addr", "127.0.0.1:1").CombinedOutput()
	if err == nil || !strings.Contains(string(text), "health: 127.0.0.1:1") {
		t.Errorf("the health check of nobody says %q, %v", text, err)
	}
}

func TestUnitIsTakenBySystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here")
	}
	raw, err := os.ReadFile(deploy + "/systemd/kindred.service")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), "ExecStart=/usr/bin/kindred serve ") {
		t.Fatal("ExecStart starts something else")
	}
	// The binary is not installed here: another stands for it.
	stand, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "kindred.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(raw), "/usr/bin/kindred", stand)), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command(analyze, "verify", unit).CombinedOutput(); err != nil || strings.Contains(string(text), "kindred.service:") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, text)
	}
}
