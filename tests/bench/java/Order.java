import java.util.ArrayList;
import java.util.List;

/** All that the rules of the benchmark look at, side by side: the fact that Drools matches. */
public final class Order {
    String shop, country, tier, email, channel;
    long amount, joined;
    List<String> skus = new ArrayList<>();

    public String getShop() { return shop; }
    public String getTier() { return tier; }
    public String getChannel() { return channel; }
    public Long getAmount() { return amount; }
}
