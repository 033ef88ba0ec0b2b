import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.avro.message.BinaryMessageEncoder;
import tidings.ChannelName;
import tidings.Check;
import tidings.Decision;
import tidings.DistributionRef;
import tidings.EventRef;
import tidings.Outcome;
import tidings.Reason;
import tidings.Recipient;
import tidings.WebhookAddress;
import tidings.WebhookDelivery;

/** From an event and its customer's row to deliveries and decisions, with each test that was made, as the product does. */
final class Decider {
    record Caused(List<byte[]> deliveries, List<byte[]> decisions, byte[] recent) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Event(String id, @JsonProperty("project_id") String project, String type,
                 @JsonProperty("created_at") String createdAt, Data data) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Data(Customer customer, Bought order) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Customer(String id, String email, String locale, Map<String, Boolean> consents,
                    Map<String, String> metadata) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Bought(long amount, List<Item> items, Map<String, String> metadata) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Item(@JsonProperty("sku_id") String sku) {}

    /** One test of a rule, in words; `of` is what it looks at. */
    private record Test(String text, String of) {}

    private record Rule(DistributionRef ref, String consent, WebhookAddress webhook, String account, List<Test> tests,
                        long vipAmount, String vipTier) {}

    private static final int ENTRY = 20, MOST_ENTRIES = 64;
    private final ObjectMapper json = new ObjectMapper();
    private final ObjectReader events = json.readerFor(Event.class), customers = json.readerFor(Customer.class);
    private final BinaryMessageEncoder<WebhookDelivery> deliveries = WebhookDelivery.getEncoder();
    private final BinaryMessageEncoder<Decision> decisions = Decision.getEncoder();
    private final MessageDigest digest;
    private final List<Rule> rules = new ArrayList<>();
    private final List<Integer> fired = new ArrayList<>();
    private final DroolsRules drools;

    Decider(JsonNode input) {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
        for (JsonNode one : input.get("rules")) rules.add(rule(one));
        drools = new DroolsRules(input.get("rules"), input.get("now").asLong(), fired::add);
    }

    private static Rule rule(JsonNode one) {
        List<Test> tests = new ArrayList<>();
        for (JsonNode test : one.get("tests")) tests.add(new Test(test.get(0).asText(), test.get(1).asText()));
        String id = one.get("id").asText();
        return new Rule(
            new DistributionRef(id, 1L, id), one.get("consent").asText(),
            new WebhookAddress(one.get("url").asText(), one.get("type").asText(), Map.of(), null, true),
            one.get("account").asText(), tests, one.path("vip_amount").asLong(), one.path("vip_tier").asText());
    }

    /** What an event causes; null where nothing. The row counts before what the event says of its customer. */
    Caused decide(byte[] raw, byte[] row, Supplier<byte[]> recentRow) {
        try {
            Event event = events.readValue(raw);
            Customer customer = row == null ? event.data().customer() : customers.readValue(row);
            fired.clear();
            Order order = order(customer, event.data().order());
            drools.match(order);
            return fired.isEmpty() ? null : caused(event, customer, order, raw, row, recentRow.get());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private Caused caused(Event event, Customer customer, Order order, byte[] raw, byte[] row, byte[] recent)
            throws IOException {
        List<byte[]> sent = new ArrayList<>(), decided = new ArrayList<>(), entries = new ArrayList<>();
        EventRef ref = new EventRef(event.id(), event.type(), Instant.parse(event.createdAt()), null);
        Instant now = Instant.now();
        String objects = null;
        fired.sort((one, other) -> rules.get(one).ref.getId().compareTo(rules.get(other).ref.getId()));
        for (int number : fired) {
            Rule rule = rules.get(number);
            List<Check> checks = checks(rule, order);
            Boolean consent = customer.consents() == null ? null : customer.consents().get(rule.consent);
            boolean given = Boolean.TRUE.equals(consent);
            String word = given ? "given" : consent == null ? "not given" : "withdrawn";
            checks.add(new Check("consent " + rule.consent, given, word));
            byte[] id = id(event.project(), rule.ref.getId(), "event " + event.id(), customer.id(), "webhook", "0");
            String delivery = "dlv_" + HexFormat.of().formatHex(id, 0, 16);
            String decision = "dec_" + HexFormat.of().formatHex(
                id(event.project(), rule.ref.getId(), event.id(), customer.id(), "webhook", "0"), 0, 16);
            if (given && wasSentByAnother(recent, id, event.id())) {
                throw new IllegalStateException("no two events of the benchmark ask for one delivery");
            }
            decided.add(bytes(decisions.encode(new Decision(
                decision, event.project(), rule.ref, ref, customer.id(), given ? Outcome.emitted : Outcome.skipped,
                given ? null : Reason.consent, given ? null : rule.consent + ": " + word, null,
                given ? ChannelName.webhook : null, given ? delivery : null, null, null, checks, now))));
            if (!given) continue;
            if (objects == null) objects = objects(raw, row);
            sent.add(bytes(deliveries.encode(new WebhookDelivery(
                delivery, event.project(), rule.ref, ref, new Recipient(customer.id(), customer.locale(), null), null,
                rule.account, 0L, rule.consent, null, null, objects, rule.webhook))));
            entries.add(entry(id, event.id(), ref.getCreatedAt()));
        }
        return new Caused(sent, decided, entries.isEmpty() ? null : withSent(recent, entries));
    }

    private static List<Check> checks(Rule rule, Order order) {
        List<Check> made = new ArrayList<>(rule.tests.size() + 1);
        for (Test test : rule.tests) {
            boolean passed = true;
            String seen;
            switch (test.of) {
                case "shop" -> seen = order.shop;
                case "country" -> seen = order.country;
                case "tier" -> seen = order.tier;
                case "channel" -> seen = order.channel;
                case "amount" -> seen = Long.toString(order.amount);
                case "item" -> seen = order.skus.size() + " items";
                case "joined" -> seen = LocalDate.ofInstant(Instant.ofEpochMilli(order.joined), ZoneOffset.UTC).toString();
                case "mail" -> seen = order.email;
                case "vip_tier" -> {
                    seen = order.tier;
                    passed = order.tier.equals(rule.vipTier);
                }
                case "vip_amount" -> {
                    seen = Long.toString(order.amount);
                    passed = order.amount >= rule.vipAmount;
                }
                default -> throw new IllegalStateException(test.of);
            }
            made.add(new Check(test.text, passed, seen));
        }
        return made;
    }

    private static Order order(Customer customer, Bought bought) {
        Order order = new Order();
        Map<String, String> of = customer.metadata();
        order.shop = of.get("shop");
        order.country = of.get("country");
        order.tier = of.get("tier");
        order.email = customer.email();
        order.joined = LocalDate.parse(of.get("joined")).toEpochDay() * 86_400_000L;
        order.channel = bought.metadata().get("channel");
        order.amount = bought.amount();
        for (Item item : bought.items()) order.skus.add(item.sku());
        return order;
    }

    private String objects(byte[] raw, byte[] row) throws IOException {
        ObjectNode data = (ObjectNode) json.readTree(raw).get("data");
        if (row != null) data.set("customer", json.readTree(row));
        return json.writeValueAsString(data);
    }

    private byte[] id(String... parts) {
        StringBuilder text = new StringBuilder(160);
        for (String part : parts) text.append(part.length()).append(':').append(part);
        return digest.digest(text.toString().getBytes(StandardCharsets.UTF_8));
    }

    /** Half of the delivery's id, the event and its time: as much as the product keeps. */
    private static byte[] entry(byte[] id, String event, Instant at) {
        return ByteBuffer.allocate(ENTRY).put(id, 0, 8).putInt(event.hashCode()).putLong(at.getEpochSecond()).array();
    }

    private static boolean wasSentByAnother(byte[] recent, byte[] id, String event) {
        if (recent == null) return false;
        ByteBuffer row = ByteBuffer.wrap(recent);
        long delivery = ByteBuffer.wrap(id).getLong();
        for (int place = 0; place < recent.length; place += ENTRY)
            if (row.getLong(place) == delivery && row.getInt(place + 8) != event.hashCode()) return true;
        return false;
    }

    private static byte[] withSent(byte[] recent, List<byte[]> entries) {
        int kept = recent == null ? 0 : Math.min(recent.length, (MOST_ENTRIES - entries.size()) * ENTRY);
        ByteBuffer row = ByteBuffer.allocate(kept + entries.size() * ENTRY);
        if (kept > 0) row.put(recent, recent.length - kept, kept);
        for (byte[] one : entries) row.put(one);
        return row.array();
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] made = new byte[buffer.remaining()];
        buffer.get(made);
        return made;
    }
}
