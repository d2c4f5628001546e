package example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import example.Arrivals.Arrival;
import java.time.LocalDate;
import org.junit.jupiter.api.Test;

class ArrivalsTest {
    private static final LocalDate FRIDAY = LocalDate.of(2026, 11, 20);

    @Test
    void nobodyWorksAtWeekends() {
        assertEquals(new Arrival("2026-11-23", "Monday"), Arrivals.arrival(FRIDAY, 1, "en"));
        assertEquals("2026-11-27", Arrivals.arrival(FRIDAY, 5, "en").date());
    }

    @Test
    void daysHaveNamesInOtherLanguages() {
        assertEquals("mercredi", Arrivals.arrival(FRIDAY, 3, "fr").day());
        assertEquals("Mittwoch", Arrivals.arrival(FRIDAY, 3, "de").day());
    }

    @Test
    void aParcelThatTakesForeverIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> Arrivals.arrival(FRIDAY, Arrivals.MOST_DAYS + 1, "en"));
        assertThrows(IllegalArgumentException.class, () -> Arrivals.arrival(FRIDAY, -1, "en"));
    }
}
