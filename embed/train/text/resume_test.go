package text

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// childEnv names, in a child process of the tests, the folders of a run and its backend.
const childEnv = "KINDRED_TEST_TRAIN_TEXT"

// TestMain trains instead of testing, in a child process.
func TestMain(m *testing.M) {
	if task := os.Getenv(childEnv); task != "" {
		if err := trainAsChild(strings.Split(task, "|")); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// trainAsChild prints a line for each step and epoch.
func trainAsChild(folders []string) error {
	texts, pairs := couples(20)
	o := quick()
	o.Backend = transformer.Backend(folders[3])
	o.State, o.SaveEvery, o.Epochs, o.Dropout = folders[2], 2, 4, 0.1
	o.MaxTokens, o.ChunkTexts = 8, 32 // one shape, so that little is compiled
	o.Progress = func(p Progress) { fmt.Printf("step %d %.17g %.17g\n", p.Step, p.Loss, p.Norm) }
	x := contrastive(texts, pairs)
	x.Dev, x.Hard = pairs[:8], 2
	x.Negatives = func(_ context.Context, epoch int, vectors []float32) (func(uint32, int) []uint32, error) {
		// Depends on the vectors as they are when the epoch begins.
		first := uint32(100*(1+vectors[0])) + uint32(epoch)
		return func(item uint32, k int) []uint32 { return []uint32{(item + 2 + first) % 40, (item + 9) % 40} }, nil
	}
	result, err := Train(context.Background(), folders[0], folders[1], x, o)
	if err == nil {
		fmt.Printf("curve %+v\n", result.Curve)
	}
	return err
}

func child(t *testing.T, folders ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(folders, "|"))
	cmd.Stderr = os.Stderr
	return cmd
}

// A run that is killed in mid-epoch, between two saves, gives the same losses and the
// same model as one that ran through.
func TestAKilledRunGoesOnAsIfItWereNot(t *testing.T) {
	eachBackend(t, func(t *testing.T, b transformer.Backend) {
		from := model(t)
		killed, state := t.TempDir(), t.TempDir()
		before := killAt(t, "step 9 ", child(t, from, killed, state, string(b)))
		left := filepath.Join(state, ".training.safetensors123") // as if it was killed in mid-save
		if err := os.WriteFile(left, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		whole := t.TempDir()
		after, err := child(t, from, killed, state, string(b)).Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, after)
		}
		if lines := strings.Split(string(after), "\n"); !strings.HasPrefix(lines[0], "step 9 ") {
			t.Errorf("goes on with %q; want step 9, since step 8 was saved", lines[0])
		}
		all, err := child(t, from, whole, t.TempDir(), string(b)).Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, all)
		}
		want := strings.Split(string(all), "\n")
		for _, line := range append(before, strings.Split(string(after), "\n")...) {
			if !slices.Contains(want, line) {
				t.Errorf("%q is not a line of the run that went through:\n%s", line, strings.Join(want, "\n"))
			}
		}
		if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
			t.Error("the rest of a save that was killed stays")
		}
		a, errA := os.ReadFile(filepath.Join(killed, checkpoint.WeightsFile))
		w, errW := os.ReadFile(filepath.Join(whole, checkpoint.WeightsFile))
		if errA != nil || errW != nil || !bytes.Equal(a, w) {
			t.Errorf("the models differ (%v, %v)", errA, errW)
		}
	})
}

// killAt starts a command, kills it when it prints a line that begins so, and gives the
// lines before.
func killAt(t *testing.T, line string, cmd *exec.Cmd) (lines []string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		if strings.HasPrefix(s.Text(), line) {
			break
		}
		lines = append(lines, s.Text())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("it ended before it was killed")
	}
	return lines
}

func TestAStateOfAnotherRunIsRefused(t *testing.T) {
	if pointerChecks {
		t.Skip("GoMLX's backend")
	}
	from, to := model(t), t.TempDir()
	texts, pairs := couples(20)
	o := quick()
	o.State, o.Epochs = t.TempDir(), 1
	first, err := Train(t.Context(), from, to, contrastive(texts, pairs), o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Train(t.Context(), from, to, contrastive(texts, pairs), o)
	if err != nil || !slices.Equal(again.Curve, first.Curve) || again.Steps != first.Steps {
		t.Errorf("a finished run gives %+v, %v; it was %+v", again, err, first)
	}
	o.LearningRate /= 2
	if _, err := Train(t.Context(), from, to, contrastive(texts, pairs), o); !errors.Is(err, ErrState) {
		t.Errorf("other options: error %v; want ErrState", err)
	}
	o.LearningRate *= 2
	if err := os.Truncate(filepath.Join(o.State, "training.safetensors"), 5000); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(t.Context(), from, to, contrastive(texts, pairs), o); !errors.Is(err, ErrState) {
		t.Errorf("a truncated state: error %v; want ErrState", err)
	}
}
