package bundle

import (
	"fmt"
	"strings"
)

// The payloads of Kindred's own parts.
const (
	// BehaviourFile holds the weights of the behaviour encoder.
	BehaviourFile = "behaviour.safetensors"
	// ItemsFile lists the ids of the items that have a learned residual, in the order of
	// its rows: see WriteItems.
	ItemsFile = "items.txt"
	// RankerFile holds the weights of the ranker.
	RankerFile = "ranker.json"
	// RankerNetworkFile holds a network that scores in place of the weights.
	RankerNetworkFile = "ranker-network.json"
	// RankerTreesFile holds trees, as LightGBM or XGBoost wrote them, that score in place of both.
	RankerTreesFile = "ranker-trees.txt"
	// RankerCalibrationFile holds what makes probabilities of the ranker's scores.
	RankerCalibrationFile = "ranker-calibration.json"
	// SentimentFile holds the head that reads a comment's sentiment.
	SentimentFile = "sentiment.json"
	// TextFolder begins the names of a text encoder's checkpoint.
	TextFolder = "text/"
	// ManifestFile is the manifest, no payload.
	ManifestFile = "manifest.json"
)

const (
	maxName  = 200
	maxDepth = 4
)

// checkName refuses a payload's name that could lead out of a directory, or that is not
// the same on all systems.
func checkName(name string) error {
	parts := strings.Split(name, "/")
	if len(name) > maxName || len(parts) > maxDepth {
		return fmt.Errorf("payload name %.60q has %d bytes in %d parts, at most %d and %d are taken", name, len(name), len(parts), maxName, maxDepth)
	}
	for _, p := range parts {
		if p == "" || p[0] == '.' || strings.ContainsFunc(p, foreign) {
			return fmt.Errorf("payload name %q: each part must be of a-z, A-Z, 0-9, '.', '_', '-' and not begin with '.'", name)
		}
	}
	if strings.EqualFold(name, ManifestFile) {
		return fmt.Errorf("payload name %q is the manifest's: take another", name)
	}
	return nil
}

func foreign(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}
