#include "runtime/housekeeper.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

#include "runtime/bounded_actor.hpp"

namespace switchboard::runtime {

struct clean_up {};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::clean_up)

namespace switchboard::runtime {

namespace {

constexpr auto interval = std::chrono::minutes{1};

class housekeeper final : public bounded_actor {
public:
  housekeeper(caf::actor_config& config, node_context& node, std::shared_ptr<store::environment> store,
              milliseconds journal_window)
      : bounded_actor(config, {}, node.directory.enter("/housekeeper", "housekeeper", node.clock.now())), node_(node),
        store_(std::move(store)), journal_window_(journal_window) {}

  caf::behavior make_behavior() override {
    delayed_send(this, interval, clean_up{});
    return {[this](clean_up) {
      const auto now = node_.clock.now();
      store_->expire(now, now - journal_window_);
      delayed_send(this, interval, clean_up{});
    }};
  }

private:
  node_context& node_;
  std::shared_ptr<store::environment> store_;
  const milliseconds journal_window_;
};

} // namespace

caf::actor spawn_housekeeper(node_context& node, std::shared_ptr<store::environment> store,
                             milliseconds journal_window) {
  return node.system.spawn<housekeeper>(node, std::move(store), journal_window);
}

} // namespace switchboard::runtime
