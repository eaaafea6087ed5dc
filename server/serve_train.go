package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/kindred-rec/kindred/server/training/schedule"
)

// training says when and how tenants are trained: by this program, with the same encoder.
func (c *serveCommand) training() (schedule.Config, error) {
	s := schedule.Config{Every: c.TrainEvery, After: c.TrainAfter, Cores: c.TrainCores}
	if !s.On() {
		return s, nil
	}
	s.Memory = int64(c.TrainMemory)
	program, err := os.Executable()
	if err != nil {
		return s, fmt.Errorf("--train-every: the path of this program: %w", err)
	}
	s.Command = []string{program, "train", "--encoder", c.Encoder, "--backend", c.Backend, "--epochs", strconv.Itoa(c.TrainEpochs)}
	for _, addr := range c.EmbedAddr {
		s.Command = append(s.Command, "--embed-addr", addr)
	}
	for _, f := range [][2]string{{"--embed-token-file", c.EmbedToken}, {"--embed-ca", c.EmbedCA}} {
		if f[1] != "" {
			s.Command = append(s.Command, f[0], f[1])
		}
	}
	if c.EmbedTLS {
		s.Command = append(s.Command, "--embed-tls")
	}
	if c.EmbedPlain {
		s.Command = append(s.Command, "--embed-plaintext-token")
	}
	return s, nil
}
