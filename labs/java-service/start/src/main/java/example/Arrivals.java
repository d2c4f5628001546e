package example;

import java.time.DayOfWeek;
import java.time.LocalDate;
import java.time.format.TextStyle;
import java.util.Locale;

/** When a parcel arrives that takes some working days. */
final class Arrivals {
    /** More than a year of working days is no answer. */
    static final int MOST_DAYS = 250;

    /** A day, with its name in a language. */
    record Arrival(String date, String day) {}

    private Arrivals() {}

    /**
     * The day on which a parcel arrives.
     *
     * @param from the day on which it is sent
     * @param days working days that it takes
     * @param language of the day's name, such as "fr"
     * @throws IllegalArgumentException when days are fewer than 0 or too many
     */
    static Arrival arrival(LocalDate from, int days, String language) {
        if (days < 0 || days > MOST_DAYS) {
            throw new IllegalArgumentException("days must be from 0 to " + MOST_DAYS);
        }
        LocalDate date = from;
        for (int left = days; left > 0; ) {
            date = date.plusDays(1);
            if (isWorkingDay(date)) {
                left--;
            }
        }
        String day = date.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.forLanguageTag(language));
        return new Arrival(date.toString(), day);
    }

    private static boolean isWorkingDay(LocalDate date) {
        return date.getDayOfWeek() != DayOfWeek.SATURDAY && date.getDayOfWeek() != DayOfWeek.SUNDAY;
    }
}
