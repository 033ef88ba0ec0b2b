import static org.drools.model.DSL.declarationOf;
import static org.drools.model.DSL.on;
import static org.drools.model.PatternDSL.alphaIndexedBy;
import static org.drools.model.PatternDSL.pattern;
import static org.drools.model.PatternDSL.rule;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntConsumer;
import org.drools.model.Index.ConstraintType;
import org.drools.model.PatternDSL.PatternDef;
import org.drools.model.Variable;
import org.drools.model.impl.ModelImpl;
import org.drools.modelcompiler.KieBaseBuilder;
import org.kie.api.runtime.KieSession;
import org.kie.api.runtime.rule.FactHandle;

/** The rules of the benchmark in Drools' executable model, with an index wherever it takes one. */
final class DroolsRules {
    private final KieSession session;

    /** `fired` is told the place of each rule that fits. */
    DroolsRules(JsonNode rules, long now, IntConsumer fired) {
        ModelImpl model = new ModelImpl();
        int number = 0;
        for (JsonNode one : rules) model.addRule(made(number++, one, now, fired));
        session = KieBaseBuilder.createKieBaseFromModel(model).newKieSession();
    }

    void match(Order order) {
        FactHandle handle = session.insert(order);
        session.fireAllRules();
        session.delete(handle);
    }

    private static org.drools.model.Rule made(
            int number, JsonNode one, long now, IntConsumer fired) {
        Variable<Order> order = declarationOf(Order.class);
        PatternDef<Order> p = pattern(order);
        String shop = one.get("shop").asText();
        p.expr("shop " + shop, o -> shop.equals(o.shop),
            alphaIndexedBy(String.class, ConstraintType.EQUAL, 0, o -> o.shop, shop));
        if (one.has("country")) {
            Set<String> countries = new TreeSet<>();
            one.get("country").forEach(country -> countries.add(country.asText()));
            p.expr("country " + countries, o -> countries.contains(o.country));
        }
        if (one.has("tier")) {
            String tier = one.get("tier").asText();
            p.expr("tier " + tier, o -> tier.equals(o.tier),
                alphaIndexedBy(String.class, ConstraintType.EQUAL, 1, o -> o.tier, tier));
        }
        if (one.has("channel")) {
            String channel = one.get("channel").asText();
            p.expr("channel " + channel, o -> channel.equals(o.channel),
                alphaIndexedBy(String.class, ConstraintType.EQUAL, 2, o -> o.channel, channel));
        }
        if (one.has("amount")) {
            long amount = one.get("amount").asLong();
            p.expr("amount " + amount, o -> o.amount >= amount,
                alphaIndexedBy(Long.class, ConstraintType.GREATER_OR_EQUAL, 3, o -> o.amount, amount));
        }
        if (one.has("item")) {
            String start = one.get("item").asText();
            p.expr("item " + start, o -> {
                for (String sku : o.skus) if (sku.startsWith(start)) return true;
                return false;
            });
        }
        if (one.has("joined_days")) {
            long since = now - one.get("joined_days").asLong() * 86_400_000L;
            p.expr("joined " + since, o -> o.joined >= since && o.joined <= now);
        }
        if (one.has("vip_tier")) {
            String tier = one.get("vip_tier").asText();
            long amount = one.get("vip_amount").asLong();
            p.expr("vip " + tier + amount, o -> tier.equals(o.tier) || o.amount >= amount);
        }
        if (one.has("not_mail")) {
            String end = one.get("not_mail").asText();
            p.expr("mail " + end, o -> !o.email.endsWith(end));
        }
        return rule("rule-" + number).build(p, on(order).execute(o -> fired.accept(number)));
    }
}
