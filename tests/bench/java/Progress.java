import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/** Time and CPU at the first, the middle and the last event. */
final class Progress {
    private static final OperatingSystemMXBean SYSTEM =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    final CountDownLatch done = new CountDownLatch(1);
    private final long events;
    private final double[] at = new double[3], cpu = new double[3], compiled = new double[3];
    private long seen = 0;

    Progress(long events) { this.events = events; }

    void begin() { if (seen == 0) mark(0); }

    void count() {
        seen++;
        if (seen == events / 2) mark(1);
        if (seen == events) {
            mark(2);
            done.countDown();
        }
    }

    private void mark(int place) {
        at[place] = System.currentTimeMillis() / 1e3;
        cpu[place] = SYSTEM.getProcessCpuTime() / 1e9;
        compiled[place] = ManagementFactory.getCompilationMXBean().getTotalCompilationTime() / 1e3;
    }

    String report() throws java.io.IOException {
        return String.format(
            "{\"events\": %d, \"began\": %.3f, \"middle\": %.3f, \"ended\": %.3f, \"seconds\": %.3f, "
                + "\"second_half_events\": %d, \"second_half_seconds\": %.3f, \"cpu_seconds\": %.3f, "
                + "\"second_half_cpu_seconds\": %.3f, \"second_half_compiling_seconds\": %.3f, \"rss_mb\": %.1f}",
            events, at[0], at[1], at[2], at[2] - at[0], events - events / 2, at[2] - at[1], cpu[2] - cpu[0],
            cpu[2] - cpu[1], compiled[2] - compiled[1], rss());
    }

    private static double rss() throws java.io.IOException {
        Path file = Path.of("/proc/self/status");
        if (!Files.exists(file)) return 0;
        for (String line : Files.readAllLines(file))
            if (line.startsWith("VmRSS:")) return Long.parseLong(line.replaceAll("\\D", "")) / 1024.0;
        return 0;
    }
}
