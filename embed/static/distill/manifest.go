package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/corpus"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/learn"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/table"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/teacher"
	"github.com/kindred-rec/kindred/embed/wordpiece"
)

// Methods, as they stand in the manifest and in the weights' metadata.
const (
	reducing = "mean of the last hidden state of [CLS] t [SEP] for each token t, minus the mean, first principal components, times ln(1+rank)"
	learning = "one linear map of the teacher's vectors of tokens, then AdamW on each row, to match the teacher's vectors of texts and their similarities"
	pooling  = "sum of rows*scale over a text's tokens without special tokens, then unit length"
)

// manifest says how a table was made and what it is worth.
type manifest struct {
	Method   string            `json:"method"`
	Teacher  string            `json:"teacher"` // name and content
	Tokens   int               `json:"tokens"`
	Dim      int               `json:"dim"`
	Seed     uint64            `json:"seed"`
	Learning *learned          `json:"learning,omitempty"` // absent without texts
	Figures  []figure          `json:"figures,omitempty"`
	Seconds  float64           `json:"seconds"`
	Files    map[string]string `json:"files"` // SHA-256 by name
}

// learned says what a table was learned from.
type learned struct {
	File       string        `json:"file"`   // its name without folders
	Texts      string        `json:"sha256"` // of the texts in order
	Empty      int           `json:"empty"`  // rows without text, left out
	Twins      int           `json:"twins"`  // rows whose text stood already, left out
	Part       string        `json:"part"`   // which texts were learned from
	Fit        int           `json:"fit"`
	Validation int           `json:"validation"` // learned from too, once the steps were known
	Test       int           `json:"test"`
	Pieces     int           `json:"pieces"`
	Options    learn.Options `json:"options"`
	Steps      int           `json:"steps"` // that were best
	Curve      []learn.Point `json:"curve"`
}

func (b *build) newManifest() *manifest {
	c := b.command
	m := &manifest{Method: reducing, Teacher: b.teacher.Model(), Tokens: b.teacher.Vocabulary().Len(), Dim: c.Dim, Seed: c.Seed}
	if c.Texts != "" {
		m.Method = learning
		m.Learning = &learned{File: filepath.Base(c.Texts), Texts: teacher.Hash("", corpus.Wholes(b.corpus.Texts)), Empty: b.corpus.Empty,
			Twins: b.corpus.Twins, Pieces: c.Pieces, Options: c.options(), Part: "all"}
		if c.Holdout {
			m.Learning.Part = "even places by id; odd ones are the test"
		}
	}
	return m
}

// note takes down how many texts there are of each kind.
func (m *manifest) note(p parts) {
	m.Learning.Fit, m.Learning.Validation, m.Learning.Test = len(p.fit), len(p.validation), len(p.test)
}

// tableFiles are the two files that embed/static reads.
func tableFiles(rows table.Rows, vocab *wordpiece.Vocabulary, metadata map[string]string) (map[string][]byte, error) {
	weights, err := table.Safetensors(rows, metadata)
	if err != nil {
		return nil, err
	}
	var lines bytes.Buffer
	for id := range int32(vocab.Len()) {
		lines.WriteString(vocab.Token(id) + "\n")
	}
	return map[string][]byte{static.WeightsFile: weights, static.VocabFile: lines.Bytes()}, nil
}

// write writes the table with its manifest, and checks that it can be read.
func (m *manifest) write(dir string, rows table.Rows, vocab *wordpiece.Vocabulary) error {
	files, err := tableFiles(rows, vocab, map[string]string{"method": m.Method, "pooling": pooling, "source": m.Teacher, "seed": fmt.Sprint(m.Seed)})
	if err != nil {
		return err
	}
	m.Files = map[string]string{}
	for name, content := range files {
		sum := sha256.Sum256(content)
		m.Files[name] = hex.EncodeToString(sum[:])
	}
	if files["manifest.json"], err = json.MarshalIndent(m, "", "  "); err != nil {
		return err
	}
	files["README.md"] = []byte(m.readme())
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	_, err = static.LoadDir(dir)
	return err
}

// writeFiles writes files into a folder, each whole or not at all.
func writeFiles(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".part", content, 0o644); err != nil {
			return err
		}
		if err := os.Rename(path+".part", path); err != nil {
			return err
		}
	}
	return nil
}

// asServed rounds rows as they are written, and loads them as they are served.
func asServed(rows table.Rows, vocab *wordpiece.Vocabulary) (*static.Encoder, error) {
	files, err := tableFiles(rows, vocab, nil)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "distill")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := writeFiles(dir, files); err != nil {
		return nil, err
	}
	return static.LoadDir(dir)
}

// print writes the manifest as a line of JSON, or what a reader wants of it.
func (m *manifest) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(m)
	}
	t := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%d tokens of %d components from %s in %.0f s\n", m.Tokens, m.Dim, m.Teacher, m.Seconds)
	if len(m.Figures) > 0 {
		fmt.Fprint(t, "\npart\ttexts\ttable\toverlap@10\n")
	}
	for _, f := range m.Figures {
		fmt.Fprintf(t, "%s\t%d\t%s\t%.3f\n", f.Part, f.Texts, f.Table, f.Overlap)
	}
	return t.Flush()
}

// readme says in words what the manifest says.
func (m *manifest) readme() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# A static table of token vectors\n\n%d tokens of %d components, made from %s. embed/static reads it (LoadDir).\n\n", m.Tokens, m.Dim, m.Teacher)
	fmt.Fprintf(&b, "- Method: %s.\n- A text's vector: %s.\n- Seed: %d.\n", m.Method, pooling, m.Seed)
	if l := m.Learning; l != nil {
		fmt.Fprintf(&b, "- Texts: %s (sha256 of the texts %s), part: %s. %d were fitted, %d decided after how many steps to stop (%d) and were fitted then, with %d pieces of both; %d were for the test. %d rows without text and %d twins were left out.\n",
			l.File, l.Texts, l.Part, l.Fit, l.Validation, l.Steps, l.Pieces, l.Test, l.Empty, l.Twins)
	}
	if len(m.Figures) > 0 {
		b.WriteString("\nOf the ten texts nearest by the teacher, the share that is among the ten nearest by the table:\n\n| part | texts | table | overlap@10 |\n| --- | --- | --- | --- |\n")
	}
	for _, f := range m.Figures {
		fmt.Fprintf(&b, "| %s | %d | %s | %.3f |\n", f.Part, f.Texts, f.Table, f.Overlap)
	}
	b.WriteString("\nThe table is derived from the teacher, so its licence applies; keep it beside these files. The folder cache holds the teacher's vectors of texts and may be deleted. manifest.json says the same, and the hashes.\n")
	return b.String()
}
