// Package openbandit reads the Open Bandit Dataset (Saito et al., 2021): what a fashion shop showed in three places of a page,
// by a uniformly random policy and by a Thompson sampling one, with clicks and logged propensities.
//
//	folder, err := openbandit.Open("open-bandit")
//	for _, campaign := range folder.Campaigns { // all, men, women: those that are there
//		random, err := folder.Read(openbandit.Random, campaign, openbandit.DefaultOptions())
//		thompson, err := folder.Read(openbandit.Thompson, campaign, openbandit.DefaultOptions())
//		result, err := ope.Evaluate(ctx, &thompson.Log, openbandit.Uniform(thompson), options)
//		// the truth: the click rate of the random log
//	}
//
// A folder has POLICY/CAMPAIGN/CAMPAIGN.csv with the policies "random" and "bts", also packed (.csv.gz, .csv.zst). Columns:
// item_id (from 0), position (1 to 3), click (0 or 1) and propensity_score are read; user_feature_* become features of a
// context (1 for the value it has, 0 for those it has not), the same for every item; timestamp and user-item_affinity_* are
// not used. The first column, without a name, numbers the rows: a number that comes twice is an error, as one row would count
// twice.
//
// Each row is a decision of its own: the dataset does not say which rows were one page. The position is part of the context,
// not of the choice: a target chooses an item for the position that the log had.
//
// # Targets
//
// The uniform policy is known, so that the Thompson log can judge it exactly ([Uniform]). The other way round is only
// approximate: the Thompson policy's distribution changed over time, and is logged for the item shown alone. [Average] takes
// how often its log has each item in each position. That is the policy's mean over the time of the log, with the noise of a
// count, and neither is in the interval.
package openbandit
