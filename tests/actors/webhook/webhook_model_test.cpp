// A webhook in random orders of requests and reports against a model of its own: what is shown, what is announced, and
// that the secret is in neither.
#include "actors/webhook/webhook.hpp"
#include "tests/actors/orders.hpp"

namespace switchboard::telephony {
namespace {

struct webhook_model {
  bool exists = false, enabled = true;
  std::string uri, status = "unknown", last_error;
  int dead = 0;
  std::vector<std::string> announced;

  void become(const char* next) {
    if (status == next)
      return;
    const bool failed = status == "failing";
    status = next;
    if (status == "failing")
      announced.push_back("webhook.failing");
    else if (failed)
      announced.push_back("webhook.recovered");
  }
};

class webhook_order {
public:
  explicit webhook_order(std::uint64_t seed) : dice_(seed), webhook_(webhook_type(), "w", seed) {}

  void play() {
    for (std::size_t left = 8 + dice_.roll(12); left > 0 && !testing::Test::HasFailure(); --left) {
      step();
      check();
    }
  }

private:
  const sdk::entity_ref bridge_{"webhook_bridge", "w"};
  static constexpr const char* uris[] = {"https://a.example.com/", "http://b.example.com:81/x"};

  void step() {
    switch (dice_.roll(8)) {
    case 0:
    case 1:
      return create();
    case 2:
      return update();
    case 3:
      if (dice_.once_in(3))
        remove();
      return;
    case 4:
      return refused();
    case 5:
    case 6:
      return delivered();
    default:
      return failed();
    }
  }

  void create() {
    const std::string uri = dice_.one_of(uris);
    webhook_.request("POST", "/v1/webhooks", {{"customer_id", "c"}, {"uri", uri}, {"secret", "not-to-be-seen-by-any"}});
    EXPECT_EQ(webhook_.answered, model_.exists ? 409 : 200);
    if (model_.exists)
      return;
    auto announced = std::move(model_.announced);
    model_ = {};
    model_.exists = true;
    model_.uri = uri;
    model_.announced = std::move(announced);
    model_.announced.push_back("webhook.created");
  }
  void update() {
    json body = json::object();
    const auto uri = dice_.once_in(2) ? std::string{dice_.one_of(uris)} : model_.uri;
    if (uri != model_.uri)
      body["uri"] = uri;
    const bool enabled = dice_.once_in(2);
    body["enabled"] = enabled;
    webhook_.request("PUT", "/v1/webhooks/w", body);
    EXPECT_EQ(webhook_.answered, model_.exists ? 200 : 404);
    if (!model_.exists)
      return;
    if (uri != model_.uri) {
      model_.status = "unknown";
      model_.last_error.clear();
    }
    model_.uri = uri;
    model_.enabled = enabled;
    model_.announced.push_back("webhook.updated");
  }
  void remove() {
    webhook_.request("DELETE", "/v1/webhooks/w");
    EXPECT_EQ(webhook_.answered, model_.exists ? 200 : 404);
    if (std::exchange(model_.exists, false))
      model_.announced.push_back("webhook.deleted");
  }
  /// Nothing comes of what can't be.
  void refused() {
    static const std::vector<json> wrong{
        {{"uri", "ftp://x"}}, {{"secret", "short"}}, {{"event_types", "call"}}, {{"enabled", 1}}};
    webhook_.request("PUT", "/v1/webhooks/w", dice_.one_of(wrong));
    EXPECT_EQ(webhook_.answered, model_.exists ? 400 : 404);
  }
  void delivered() {
    webhook_.tell(bridge_, "delivered");
    if (model_.exists)
      model_.become("delivering");
  }
  void failed() {
    const bool dead = dice_.once_in(2);
    const auto error = "error " + std::to_string(dice_.roll(3));
    webhook_.tell(bridge_, "delivery_failed", {{"error", error}, {"dead", dead}, {"attempts", 7}, {"event_id", "e"}});
    if (!model_.exists)
      return;
    model_.last_error = error;
    model_.become("failing");
    if (!dead)
      return;
    ++model_.dead;
    model_.announced.push_back("webhook.delivery_dead");
  }

  void check() {
    EXPECT_EQ(webhook_.events, model_.announced);
    EXPECT_TRUE(webhook_.timers.empty()); // it waits for nothing
    ASSERT_EQ(webhook_.state.has_value(), model_.exists);
    if (!model_.exists)
      return;
    webhook_.request("GET", "/v1/webhooks/w");
    const auto& shown = webhook_.answer;
    EXPECT_EQ(shown["uri"], model_.uri);
    EXPECT_EQ(shown["enabled"], model_.enabled);
    EXPECT_EQ(shown["status"], model_.status);
    EXPECT_EQ(shown["last_error"], model_.last_error);
    EXPECT_EQ(shown["dead_letters"], model_.dead);
    EXPECT_EQ(shown.dump().find("not-to-be-seen"), std::string::npos);
  }

  order_dice dice_;
  driven<webhook> webhook_;
  webhook_model model_;
};

TEST(webhook_model, holds_in_random_orders) {
  run_orders([](std::uint64_t seed) { webhook_order{seed}.play(); });
}

} // namespace
} // namespace switchboard::telephony
