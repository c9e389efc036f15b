package host

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"sync/atomic"
	"testing"
	"time"
)

// object is a JSON object.
type object = map[string]any

// handmade is a simulated Oura with hand-made responses for some collections. A collection has a
// function that returns its documents or rows between two instants.
type handmade struct {
	collections map[string]func(from, to time.Time) []object
	// refused has the collections that Oura refuses.
	refused map[string]bool
	// isLoggedOut makes Oura reject all tokens.
	isLoggedOut atomic.Bool
}

// serve starts the simulator with a history of days and the server in front of it. It returns the
// URL of the server.
func (h *handmade) serve(t *testing.T, days int) string {
	t.Helper()
	origin, err := url.Parse(simulated(t, "--days", fmt.Sprint(days)))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(origin)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		collection := path.Base(r.URL.Path)
		documents, isOurs := h.collections[collection]
		switch {
		case h.isLoggedOut.Load():
			respond(w, http.StatusUnauthorized, object{"error": "invalid_grant", "detail": "Invalid token."})
		case h.refused[collection]:
			respond(w, http.StatusForbidden, object{"detail": "Not allowed."})
		case isOurs:
			from, to := requested(r.URL.Query())
			respond(w, http.StatusOK, object{"data": documents(from, to), "next_token": nil})
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func respond(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// requested returns the range of a request. Missing bounds include everything.
func requested(query url.Values) (from, to time.Time) {
	to = time.Now().AddDate(1, 0, 0)
	for _, bound := range []struct {
		name  string
		value *time.Time
	}{{"start_date", &from}, {"end_date", &to}, {"start_datetime", &from}, {"end_datetime", &to}} {
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if parsed, err := time.Parse(layout, query.Get(bound.name)); err == nil {
				*bound.value = parsed
			}
		}
	}
	return from, to
}

// night is a hand-made night. The day is that of its morning.
type night struct {
	day                             time.Time
	hrv, heart, breath, temperature float64
	asleep                          time.Duration
}

// document returns the night as Oura sends it: in bed from 22:00 UTC, without naps.
func (n night) document() object {
	day := n.day.Format(time.DateOnly)
	start := n.day.Add(-2 * time.Hour)
	return object{
		"id": "night-" + day, "day": day, "type": "long_sleep",
		"bedtime_start":        start.Format(time.RFC3339),
		"bedtime_end":          start.Add(n.asleep + 30*time.Minute).Format(time.RFC3339),
		"time_in_bed":          int((n.asleep + 30*time.Minute).Seconds()),
		"total_sleep_duration": int(n.asleep.Seconds()),
		"average_hrv":          n.hrv,
		"lowest_heart_rate":    n.heart,
		"average_heart_rate":   n.heart + 6,
		"average_breath":       n.breath,
		"efficiency":           90,
		"latency":              600,
		"readiness":            object{"score": 80, "temperature_deviation": n.temperature},
	}
}

// nights returns a function for the collection `sleep`.
func nights(all []night) func(from, to time.Time) []object {
	return func(from, to time.Time) []object {
		documents := []object{}
		for _, one := range all {
			if !one.day.Before(from.Truncate(24*time.Hour)) && !one.day.After(to) {
				documents = append(documents, one.document())
			}
		}
		return documents
	}
}

// battery returns a function for the collection `ring_battery_level` with a single row.
func battery(at time.Time, level int, isCharging bool) func(from, to time.Time) []object {
	row := object{
		"timestamp": at.Format(time.RFC3339), "level": level, "charging": isCharging,
		"in_charger": isCharging,
	}
	return func(from, to time.Time) []object {
		if at.Before(from) || at.After(to) {
			return []object{}
		}
		return []object{row}
	}
}
