import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.ValueAndTimestamp;

/**
 * The realistic work of the benchmark on Kafka Streams and Drools: orders with the customer's row out of RocksDB among
 * all rules, recent sends in RocksDB with a changelog, decisions and deliveries out in the product's own Avro.
 *
 * At least once, as the product is: idempotent, acks=all, offsets committed twice a second, linger 2 ms.
 */
public final class MatcherPeer {
    private static final String CUSTOMERS = "customers", RECENT = "recent";

    public static void main(String[] args) throws Exception {
        JsonNode input = new ObjectMapper().readTree(new File(args[0]));
        Progress progress = new Progress(input.get("events").asLong());
        KafkaStreams streams = new KafkaStreams(topology(input, progress), settings(input));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        progress.done.await();
        streams.close();
        System.out.println(progress.report());
    }

    private static Properties settings(JsonNode input) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, input.get("application").asText());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, input.get("bootstrap").asText());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, input.get("state").asText());
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 500);
        settings.put("auto.offset.reset", "earliest");
        settings.put("max.poll.records", 2000);
        settings.put("consumer.isolation.level", "read_committed");
        settings.put("producer.enable.idempotence", true);
        settings.put("producer.acks", "all");
        settings.put("producer.linger.ms", input.get("linger_ms").asInt());
        settings.put("producer.batch.size", 262144);
        return settings;
    }

    private static Topology topology(JsonNode input, Progress progress) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.globalTable(
            input.get("customers_topic").asText(), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()),
            Materialized.<byte[], byte[], KeyValueStore<Bytes, byte[]>>as(CUSTOMERS));
        Topology topology = builder.build();
        topology.addSource(
            "events", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(),
            input.get("events_topic").asText());
        topology.addProcessor("matcher", () -> new Matching(input, progress), "events");
        topology.addStateStore(
            Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(RECENT), Serdes.ByteArray(), Serdes.ByteArray()),
            "matcher");
        for (String sink : new String[] {"deliveries", "decisions"}) {
            topology.addSink(
                sink, input.get(sink + "_topic").asText(), Serdes.ByteArray().serializer(),
                Serdes.ByteArray().serializer(), "matcher");
        }
        return topology;
    }

    /** Reads, matches, and forwards what an event causes. */
    private static final class Matching extends ContextualProcessor<byte[], byte[], byte[], byte[]> {
        private final JsonNode input;
        private final Progress progress;
        private Decider decider;
        private KeyValueStore<byte[], ValueAndTimestamp<byte[]>> customers;
        private KeyValueStore<byte[], byte[]> recent;

        Matching(JsonNode input, Progress progress) {
            this.input = input;
            this.progress = progress;
        }

        @Override
        public void init(org.apache.kafka.streams.processor.api.ProcessorContext<byte[], byte[]> context) {
            super.init(context);
            customers = context.getStateStore(CUSTOMERS);
            recent = context.getStateStore(RECENT);
            decider = new Decider(input);
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            progress.begin();
            ValueAndTimestamp<byte[]> row = customers.get(record.key());
            Decider.Caused caused = decider.decide(
                record.value(), row == null ? null : row.value(), () -> recent.get(record.key()));
            if (caused != null) {
                for (byte[] one : caused.deliveries()) context().forward(record.withValue(one), "deliveries");
                for (byte[] one : caused.decisions()) context().forward(record.withValue(one), "decisions");
                if (caused.recent() != null) recent.put(record.key(), caused.recent());
            }
            progress.count();
        }
    }
}
