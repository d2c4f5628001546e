package main

import "slices"

// Sounding is a depth that was measured in the harbour.
type Sounding struct {
	Place  string  `json:"place"`
	Metres float64 `json:"metres"`
}

var soundings = []Sounding{
	{Place: "entrance", Metres: 14.2},
	{Place: "berth-1", Metres: 9.8},
	{Place: "berth-2", Metres: 6.1},
	{Place: "slipway", Metres: 2.4},
}

// deepEnough returns the places with at least that many metres of water, the deepest first.
func deepEnough(metres float64) []Sounding {
	found := make([]Sounding, 0, len(soundings))
	for _, sounding := range soundings {
		if sounding.Metres >= metres {
			found = append(found, sounding)
		}
	}
	slices.SortFunc(found, func(a, b Sounding) int {
		switch {
		case a.Metres > b.Metres:
			return -1
		case a.Metres < b.Metres:
			return 1
		default:
			return 0
		}
	})
	return found
}

// at returns the sounding of a place, and whether there is one.
func at(place string) (Sounding, bool) {
	index := slices.IndexFunc(soundings, func(s Sounding) bool { return s.Place == place })
	if index < 0 {
		return Sounding{}, false
	}
	return soundings[index], true
}
