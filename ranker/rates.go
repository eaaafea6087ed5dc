package ranker

import "github.com/kindred-rec/kindred/ranker/conversion"

func clickRate(r *run, out []float32) {
	r.ofRates(out, func(rates *conversion.Rates, raw conversion.Counts) float64 { return rates.Click(raw) })
}

func purchaseRate(r *run, out []float32) {
	r.ofRates(out, func(rates *conversion.Rates, raw conversion.Counts) float64 { return rates.Buy(raw) })
}

func (r *run) ofRates(out []float32, ratio func(*conversion.Rates, conversion.Counts) float64) {
	if r.world.Conversion == nil {
		return
	}
	rates := r.world.Conversion.Rates(r.req.Now)
	for i := range r.candidates {
		if x := float32(ratio(&rates, r.world.Conversion.Raw(r.candidates[i].item))); x != 1 {
			out[i] = max(-farRate, min(farRate, ln(x)))
		}
	}
}

// farRate bounds the logarithm of a rate, so that one odd item is no outlier to a model.
const farRate = 7
