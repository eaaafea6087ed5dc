package calibrate

import "math"

// plattPoints is how many points stand for the logistic function.
const plattPoints = 65

// Platt fits a logistic function of the score. Where people act on lower scores rather
// than on higher ones it is flat: a curve does not fall.
func Platt(list []Impression) (*Curve, error) {
	if _, err := check(list); err != nil {
		return nil, err
	}
	l := logistic{list: list}
	l.scale()
	slope, shift := l.climb()
	if slope <= 0 {
		return &Curve{Scores: []float64{l.mean}, Probabilities: []float64{l.rate}}, nil
	}
	// Points from where the function leaves 0.1% of its way to where it has come to 99.9%,
	// but not beyond the scores that were seen.
	from, to := (-7-shift)/slope, (7-shift)/slope
	from, to = max(from, (l.low-l.mean)/l.spread), min(to, (l.high-l.mean)/l.spread)
	c := &Curve{}
	for i := range plattPoints {
		z := from + (to-from)*float64(i)/(plattPoints-1)
		score := l.mean + l.spread*z
		if n := len(c.Scores); n > 0 && score <= c.Scores[n-1] {
			continue
		}
		c.Scores, c.Probabilities = append(c.Scores, score), append(c.Probabilities, sigmoid(slope*z+shift))
	}
	return c, nil
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// logistic is a fit of two numbers, over standardised scores.
type logistic struct {
	list         []Impression
	mean, spread float64
	low, high    float64
	rate         float64
	yes, no      float64 // the targets
}

func (l *logistic) scale() {
	var n, sum, squares, acted float64
	l.low, l.high = math.Inf(1), math.Inf(-1)
	for i := range l.list {
		x, w := &l.list[i], l.list[i].weight()
		n += w
		sum += w * x.Score
		if x.Acted {
			acted += w
		}
		l.low, l.high = min(l.low, x.Score), max(l.high, x.Score)
	}
	l.mean = sum / n
	for i := range l.list {
		d := l.list[i].Score - l.mean
		squares += l.list[i].weight() * d * d
	}
	if l.spread = math.Sqrt(squares / n); l.spread == 0 {
		l.spread = 1
	}
	l.rate = acted / n
	l.yes, l.no = (acted+1)/(acted+2), 1/(n-acted+2)
}

// at returns the log likelihood, its slopes and the curvature.
func (l *logistic) at(slope, shift float64) (log float64, gradient [2]float64, curvature [3]float64) {
	for i := range l.list {
		x, w := &l.list[i], l.list[i].weight()
		target := l.no
		if x.Acted {
			target = l.yes
		}
		z := (x.Score - l.mean) / l.spread
		p := sigmoid(slope*z + shift)
		log += w * (target*math.Log(max(p, 1e-300)) + (1-target)*math.Log(max(1-p, 1e-300)))
		d, q := w*(target-p), w*p*(1-p)
		gradient[0] += d * z
		gradient[1] += d
		curvature[0] += q * z * z
		curvature[1] += q * z
		curvature[2] += q
	}
	return log, gradient, curvature
}

// climb takes Newton steps, halved while they do not lead up.
func (l *logistic) climb() (slope, shift float64) {
	const tiny = 1e-12
	shift = math.Log(l.rate / (1 - l.rate))
	here, g, h := l.at(slope, shift)
	for range 100 {
		det := (h[0]+tiny)*(h[2]+tiny) - h[1]*h[1]
		a, b := ((h[2]+tiny)*g[0]-h[1]*g[1])/det, ((h[0]+tiny)*g[1]-h[1]*g[0])/det
		step := 1.0
		for ; step > 1e-10; step /= 2 {
			there, g2, h2 := l.at(slope+step*a, shift+step*b)
			if there > here {
				gain := there - here
				slope, shift, here, g, h = slope+step*a, shift+step*b, there, g2, h2
				if gain < 1e-9 {
					return slope, shift
				}
				break
			}
		}
		if step <= 1e-10 {
			break
		}
	}
	return slope, shift
}
