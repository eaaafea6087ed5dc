package ranker

// rateColumns fills ClickRate, which is out, and PurchaseRate: an item's counts are read
// once for both.
func rateColumns(r *run, out []float32) {
	if r.world.Conversion == nil {
		return
	}
	rates := r.world.Conversion.Rates(r.req.Now)
	bought := r.columns[PurchaseRate]
	for i := range r.candidates {
		raw := r.world.Conversion.Raw(r.candidates[i].item)
		out[i] = logRate(rates.Click(raw))
		bought[i] = logRate(rates.Buy(raw))
	}
}

// farRate bounds the logarithm of a rate, so that one odd item is no outlier to a model.
const farRate = 7

func logRate(ratio float64) float32 {
	if ratio == 1 { // as of an item that nobody met
		return 0
	}
	return max(-farRate, min(farRate, ln(float32(ratio))))
}
