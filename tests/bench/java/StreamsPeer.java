import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;

/** The trivial work of the benchmark on Kafka Streams: read, one look-up, three tests, one output for ten events. */
public final class StreamsPeer {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String FILLING = "x".repeat(160);

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0], prefix = args[1], source = args[2], target = args[3], folder = args[6];
        long events = Long.parseLong(args[4]);
        Map<String, String> rules = new HashMap<>();
        for (int n = 0; n < Integer.parseInt(args[5]); n++) rules.put("plan-" + n, "rule-" + n);
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix + "streams-" + System.nanoTime());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 500);
        settings.put("auto.offset.reset", "earliest");
        settings.put("max.poll.records", 2000);
        settings.put("producer.linger.ms", 2);
        settings.put("producer.batch.size", 262144);
        settings.put("producer.acks", "all");
        Progress progress = new Progress(events);
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(source, org.apache.kafka.streams.kstream.Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
            .mapValues(raw -> {
                progress.begin();
                byte[] out = work(rules, raw);
                progress.count();
                return out;
            })
            .filter((key, out) -> out != null)
            .to(target, org.apache.kafka.streams.kstream.Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.start();
        progress.done.await();
        streams.close();
        System.out.println(progress.report());
    }

    private static byte[] work(Map<String, String> rules, byte[] raw) {
        try {
            JsonNode event = JSON.readTree(raw);
            JsonNode customer = event.get("data").get("customer");
            JsonNode metadata = customer.get("metadata");
            String rule = rules.get(metadata.get("plan").asText());
            if (rule == null) return null;
            String country = metadata.get("country").asText();
            if (!country.equals("PL") && !country.equals("DE")) return null;
            if (event.get("data").get("order").get("amount").asLong() < 1000) return null;
            return JSON.writeValueAsBytes(Map.of(
                "event", event.get("id").asText(), "customer", customer.get("id").asText(), "rule", rule,
                "data", FILLING));
        } catch (java.io.IOException error) {
            throw new IllegalStateException(new String(raw, StandardCharsets.UTF_8), error);
        }
    }
}
