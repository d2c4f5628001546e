package example;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;

/** Serves on port 8080; with the argument "check", asks the running service whether it is well. */
public final class Main {
    private static final int PORT = 8080;
    private static final int CHECK_TIMEOUT_MS = 2000;
    /** For requests that are under way. JDKs before 23 wait that long though there are none. */
    private static final int STOP_SECONDS = 1;

    private Main() {}

    public static void main(String[] args) throws IOException {
        if (args.length == 1 && args[0].equals("check")) {
            System.exit(isWell() ? 0 : 1);
        }
        HttpServer server = HttpServer.create(new InetSocketAddress(PORT), 0);
        server.createContext("/healthz", Routes::health);
        server.createContext("/arrival", Routes::arrival);
        // SIGTERM: no new requests, and time for those that are under way. A JVM that is told to stop ends with 143.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> server.stop(STOP_SECONDS)));
        server.start();
        System.out.println("listening on " + server.getAddress());
    }

    private static boolean isWell() {
        try {
            URI uri = URI.create("http://127.0.0.1:" + PORT + "/healthz");
            HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection();
            connection.setConnectTimeout(CHECK_TIMEOUT_MS);
            connection.setReadTimeout(CHECK_TIMEOUT_MS);
            return connection.getResponseCode() == 200;
        } catch (IOException e) {
            System.err.println(e);
            return false;
        }
    }
}
