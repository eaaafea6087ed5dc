package config

import "strings"

// Mistakes are the messages of an error of [Load], or of what checks settings after it, one for each mistake. There is at
// least one. err must not be nil.
func Mistakes(err error) []string {
	var list []string
	for _, line := range strings.Split(err.Error(), "\n") { // errors.Join puts one on each
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	if len(list) == 0 {
		return []string{"the settings cannot be read"}
	}
	return list
}
