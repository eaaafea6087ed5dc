// Package dataset reads catalogs and event logs in the formats that people already have, and cuts them for evaluation.
package dataset
