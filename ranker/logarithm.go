package ranker

import "math"

// A request takes some thousand logarithms, and package math is exact to more digits
// than a float32 column holds. These are as exact as a column needs.

// mantissas is the number of intervals that [1, 2) is cut into.
const mantissas = 128

// logs holds, for the middle of each interval, its inverse and its logarithm.
var logs = func() (table [mantissas]struct{ inverse, log float32 }) {
	for i := range table {
		middle := 1 + (float64(i)+0.5)/mantissas
		table[i].inverse, table[i].log = float32(1/middle), float32(math.Log(middle))
	}
	return table
}()

// ln1p is ln(1+x) for finite x at or above 0, to within 3e-7 of the larger of 1 and the
// result: ln(m·2^e) = e·ln 2 + ln(middle of m's interval) + ln(1+r), where r is small
// enough for three terms of its series.
//
// ln1p(0) is 0, so that what was never counted is no reason for anything.
func ln1p(x float32) float32 {
	if x == 0 {
		return 0
	}
	return ln(1 + x)
}

// ln is the logarithm of a normal x above 0, as exact.
func ln(x float32) float32 {
	bits := math.Float32bits(x)
	entry := &logs[bits>>(23-7)&(mantissas-1)]
	m := math.Float32frombits(bits&0x007fffff | 0x3f800000)
	r := m*entry.inverse - 1
	e := float32(int32(bits>>23) - 127)
	return e*math.Ln2 + (entry.log + r*(1-r*(0.5-r*(1.0/3))))
}

// halves holds 2^(-i/128).
var halves = func() (table [128]float32) {
	for i := range table {
		table[i] = float32(math.Exp2(-float64(i) / 128))
	}
	return table
}()

// halved is 2^-x for x from 0 to below 120, to within 2e-7 of the result: the whole
// part goes into the exponent, 128ths come from a table, and what is left is small
// enough for three terms of the series.
func halved(x float32) float32 {
	steps := int32(x * 128)
	rest := (x - float32(steps)/128) * math.Ln2
	part := halves[steps&127] * (1 - rest*(1-rest*0.5))
	return part * math.Float32frombits(uint32(127-steps>>7)<<23)
}
