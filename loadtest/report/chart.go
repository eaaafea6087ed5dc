package report

import (
	"fmt"
	"strings"
)

// Chart is lines over two axes.
type Chart struct {
	Label  string // says what is drawn to readers who do not see it
	X, Y   Axis
	Series []Series // at most 6 are told apart by colour
	Levels []Level
}

// Series is one line, through its points in their order.
type Series struct {
	Name   string
	Points []Point
	Marks  bool // a dot at each point, with its Note shown under the pointer
	Dashed bool
	Dots   bool // dots alone, no line
}

// Point is one value. Note says more about it where Marks is set.
type Point struct {
	X, Y float64
	Note string
}

// Level is a horizontal line across the chart, such as a bound.
type Level struct {
	Name string
	Y    float64
}

// The drawing, in units of the view box.
const (
	width, height           = 420.0, 260.0
	marginLeft, marginRight = 50.0, 12.0
	marginTop, marginBottom = 28.0, 40.0
	innerWidth, innerHeight = width - marginLeft - marginRight, height - marginTop - marginBottom
	bottom, right           = height - marginBottom, width - marginRight
	colours                 = 6
)

// drawing is a chart with its numbers in units: what the template writes.
type drawing struct {
	Label, XLabel, YLabel string
	Width, Height         string
	XTicks, YTicks        []drawnTick
	Lines                 []drawnLine
	Levels                []drawnLevel
	Left, Right           string
	Top, Bottom           string
	Middle                string
	Legend                []legendEntry
}

type drawnTick struct{ At, Text, Anchor string }

type drawnLine struct {
	Class string
	Paths []string // each the points of an unbroken stretch
	Dots  []drawnDot
}

type drawnDot struct{ X, Y, Note string }

type drawnLevel struct{ Y, TextY, Name string }

type legendEntry struct{ Class, Name string }

// draw places the chart; nil: there is nothing that can be drawn.
func draw(c *Chart) *drawing {
	var xs, ys []float64
	for _, s := range c.Series {
		for _, p := range s.Points {
			xs, ys = append(xs, p.X), append(ys, p.Y)
		}
	}
	for _, l := range c.Levels {
		ys = append(ys, l.Y)
	}
	x, okX := newScale(c.X, xs)
	y, okY := newScale(c.Y, ys)
	if !okX || !okY {
		return nil
	}
	d := &drawing{Label: c.Label, XLabel: c.X.Label, YLabel: c.Y.Label, Width: unit(width), Height: unit(height),
		Left: unit(marginLeft), Right: unit(right), Top: unit(marginTop), Bottom: unit(bottom),
		Middle: unit(marginLeft + innerWidth/2)}
	d.placeTicks(x, y)
	for i, s := range c.Series {
		class := fmt.Sprintf("s%d", i%colours)
		if s.Dashed {
			class += " dashed"
		}
		d.Lines = append(d.Lines, drawLine(s, class, x, y))
		d.Legend = append(d.Legend, legendEntry{class, s.Name})
	}
	for _, l := range c.Levels {
		if at, can := y.at(l.Y); can {
			up := bottom - at*innerHeight
			d.Levels = append(d.Levels, drawnLevel{unit(up), unit(up - 4), l.Name})
		}
	}
	return d
}

func (d *drawing) placeTicks(x, y scale) {
	for _, t := range x.ticks() {
		if at, can := x.at(t.At); can {
			anchor := "middle"
			if at > 0.97 && len(t.Text) > 3 {
				anchor = "end" // or the text would be cut off
			}
			d.XTicks = append(d.XTicks, drawnTick{unit(marginLeft + at*innerWidth), t.Text, anchor})
		}
	}
	for _, t := range y.ticks() {
		if at, can := y.at(t.At); can {
			d.YTicks = append(d.YTicks, drawnTick{unit(bottom - at*innerHeight), t.Text, "end"})
		}
	}
}

func drawLine(s Series, class string, x, y scale) drawnLine {
	line := drawnLine{Class: class}
	var path strings.Builder
	flush := func() {
		if path.Len() > 0 && !s.Dots {
			line.Paths = append(line.Paths, path.String())
		}
		path.Reset()
	}
	for _, p := range s.Points {
		atX, okX := x.at(p.X)
		atY, okY := y.at(p.Y)
		if !okX || !okY {
			flush()
			continue
		}
		px, py := unit(marginLeft+atX*innerWidth), unit(bottom-atY*innerHeight)
		path.WriteString(px + "," + py + " ")
		if s.Marks || s.Dots || len(s.Points) == 1 {
			line.Dots = append(line.Dots, drawnDot{px, py, p.Note})
		}
	}
	flush()
	return line
}

// unit writes a length of the drawing: a tenth of a unit is finer than a pixel.
func unit(v float64) string { return fmt.Sprintf("%.1f", v) }
