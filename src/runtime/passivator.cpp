#include "runtime/passivator.hpp"

#include <algorithm>

#include <caf/allowed_unsafe_message_type.hpp>

#include "runtime/bounded_actor.hpp"

namespace switchboard::runtime {

struct look_for_idle {};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::look_for_idle)

namespace switchboard::runtime {

namespace {

class passivator final : public bounded_actor {
public:
  passivator(caf::actor_config& config, entity_hosts& hosts)
      : bounded_actor(config, {}, hosts.node().directory.enter("/passivator", "passivator", hosts.node().clock.now())),
        hosts_(hosts) {}

  caf::behavior make_behavior() override {
    again();
    return {[this](look_for_idle) {
      const auto now = std::chrono::steady_clock::now();
      if (now - last_ >= hosts_.limits().idle || hosts_.alive() > hosts_.limits().resident_max) {
        hosts_.ask_idle_to_leave();
        last_ = now;
      }
      again();
    }};
  }

private:
  void again() { delayed_send(this, std::min(hosts_.limits().idle, hosts_.limits().crowded_idle), look_for_idle{}); }

  entity_hosts& hosts_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

} // namespace

caf::actor spawn_passivator(entity_hosts& hosts) { return hosts.node().system.spawn<passivator>(hosts); }

} // namespace switchboard::runtime
