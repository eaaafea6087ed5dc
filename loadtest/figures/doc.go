// Command figures runs the commands that figures are quoted from, keeps what each printed in a
// file, and draws all files on one page. It is what `make figures` calls.
//
//	go run ./loadtest/figures run --name office --goes "README, Measured, first row" -- go run ./loadtest evaluate … --json
//	go run ./loadtest/figures page --out figures/figures.html
//
// run writes DIR/NAME.json: the command, when and on what it ran, how long it took in all (building
// included, so that nobody is surprised), and what was measured: each line of standard output
// that is a JSON object, and each line of `go test -bench`. A command that fails, or prints
// neither, leaves the file of an earlier run as it was and ends with an error: a figure is measured
// or it is not there. Progress goes to standard error.
//
// The page says of each figure where it goes and when it was taken, since figures of different days
// or machines do not compare.
package main
