// A CAF actor that runs on one given execution unit (an I/O thread) instead of CAF's scheduler, so that a session, the
// queues beside it and the socket share a thread: no lock and no hand-over between them (design.md, "Sessions are CAF
// actors that run on the I/O threads").
#pragma once

#include <string>

#include <caf/event_based_actor.hpp>

#include "base/handler_section.hpp"

namespace switchboard::broker {

class pinned_actor : public caf::event_based_actor, public watched_handler {
public:
  /// `home` outlives the actor.
  pinned_actor(caf::actor_config& config, caf::execution_unit* home) : caf::event_based_actor(config), home_(home) {
    set_default_handler(caf::drop); // CAF's own prints whole messages
    // Whoever cannot use a message answers its sender with an error, also if nobody asked (a settle that meets a
    // deleted queue). CAF would end the sender for it.
    set_error_handler([](caf::error&) {});
    // A handler that throws ends the actor with an error that whoever monitors it sees; nothing goes to stderr.
  }

  using caf::event_based_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) override {
    caf::event_based_actor::enqueue(std::move(what), home_);
  }
  void launch(caf::execution_unit*, bool lazy, bool hide) override {
    caf::event_based_actor::launch(home_, lazy, hide);
  }

  caf::execution_unit* home() const noexcept { return home_; }

  label handler_label() const override { return {"/pinned/" + std::to_string(id()), "pinned"}; }

protected:
  using caf::event_based_actor::consume;
  caf::invoke_message_result consume(caf::mailbox_element& what) override {
    const handler_section at{*this};
    return caf::event_based_actor::consume(what);
  }

private:
  caf::execution_unit* home_;
};

} // namespace switchboard::broker
