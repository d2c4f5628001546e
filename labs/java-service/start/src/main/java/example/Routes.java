package example;

import com.google.gson.Gson;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.HashMap;
import java.util.Map;

/** What the service answers. */
final class Routes {
    private static final Gson GSON = new Gson();

    private Routes() {}

    static void health(HttpExchange exchange) throws IOException {
        answer(exchange, 200, "text/plain", "ok");
    }

    static void arrival(HttpExchange exchange) throws IOException {
        Map<String, String> query = query(exchange.getRequestURI().getRawQuery());
        try {
            LocalDate from = LocalDate.parse(query.getOrDefault("from", LocalDate.now().toString()));
            int days = Integer.parseInt(query.getOrDefault("days", "2"));
            String language = query.getOrDefault("language", "en");
            answer(exchange, 200, "application/json", GSON.toJson(Arrivals.arrival(from, days, language)));
        } catch (DateTimeException | IllegalArgumentException e) {
            answer(exchange, 400, "application/json", GSON.toJson(Map.of("error", e.getMessage())));
        }
    }

    private static void answer(HttpExchange exchange, int status, String type, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type + "; charset=utf-8");
        exchange.sendResponseHeaders(status, body.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(body);
        }
    }

    private static Map<String, String> query(String raw) {
        Map<String, String> values = new HashMap<>();
        for (String pair : raw == null ? new String[0] : raw.split("&")) {
            String[] parts = pair.split("=", 2);
            values.put(parts[0], parts.length == 2 ? URLDecoder.decode(parts[1], StandardCharsets.UTF_8) : "");
        }
        return values;
    }
}
