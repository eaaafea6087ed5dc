package worker

import (
	"context"
	"strings"

	"github.com/kindred-rec/kindred/embed"
)

// WithPrompt returns an encoder that puts a prompt, such as Model.DocumentPrompt, before
// each text that says something; e itself where there is none.
func WithPrompt(e embed.Encoder, prompt string) embed.Encoder {
	if prompt == "" {
		return e
	}
	return prompted{e, prompt}
}

type prompted struct {
	embed.Encoder
	prompt string
}

// Encode implements embed.Encoder.
func (p prompted) Encode(ctx context.Context, texts []string, out []float32) error {
	with := make([]string, len(texts))
	for i, text := range texts {
		if strings.TrimSpace(text) != "" {
			with[i] = p.prompt + text
		}
	}
	return p.Encoder.Encode(ctx, with, out)
}
