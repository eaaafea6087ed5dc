package sequential

// Arm sums up the users of one variant: for each a numerator (clicks) and a denominator (items shown; 1 for a mean per user).
// The zero value is an arm without users.
type Arm struct {
	users  float64
	active int // users whose numerator is not 0
	// Means, and sums of squared and of crossed deviations from them: Welford's, so that large means lose no digits.
	numerator, denominator float64
	nn, dd, nd             float64
}

// Add takes one user.
func (a *Arm) Add(numerator, denominator float64) {
	a.users++
	if numerator != 0 {
		a.active++
	}
	n, d := numerator-a.numerator, denominator-a.denominator
	a.numerator += n / a.users
	a.denominator += d / a.users
	a.nn += n * (numerator - a.numerator)
	a.dd += d * (denominator - a.denominator)
	a.nd += n * (denominator - a.denominator)
}

// Users is how many there are.
func (a *Arm) Users() int { return int(a.users) }

// Ratio is the mean numerator over the mean denominator; 0: the latter is 0.
func (a *Arm) Ratio() float64 {
	if a.denominator == 0 {
		return 0
	}
	return a.numerator / a.denominator
}

// variance of the ratio as an estimate, by the delta method; 0 for fewer than two users.
func (a *Arm) variance() float64 {
	if a.users < 2 || a.denominator == 0 {
		return 0
	}
	r := a.Ratio()
	of := max(a.nn-2*r*a.nd+r*r*a.dd, 0) / (a.users - 1) // of numerator - r * denominator, a user
	return of / (a.users * a.denominator * a.denominator)
}
