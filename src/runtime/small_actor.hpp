// An actor of which there are very many: one for each entity. CAF's event_based_actor takes 1 KiB for streams, response
// handlers, timeouts and a stack of behaviors, none of which an entity needs; this one has CAF's mailbox, two lanes,
// and one function. It lives, is sent to, monitored and scheduled like any other actor.
//
// As with bounded_actor, the user lane has a bound, and the control lane (what was sent with high priority) never
// drops. Requests are not served: who asks gets request_receiver_down.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <caf/actor_traits.hpp>
#include <caf/intrusive/drr_queue.hpp>
#include <caf/intrusive/lifo_inbox.hpp>
#include <caf/intrusive/wdrr_fixed_multiplexed_queue.hpp>
#include <caf/local_actor.hpp>
#include <caf/policy/normal_messages.hpp>
#include <caf/policy/urgent_messages.hpp>
#include <caf/resumable.hpp>

#include "base/handler_section.hpp"
#include "runtime/directory.hpp"

namespace switchboard::runtime {

class small_actor : public caf::local_actor,
                    public caf::resumable,
                    public caf::dynamically_typed_actor_base,
                    public watched_handler {
public:
  using behavior_type = caf::behavior; ///< spawn() makes a caf::actor of it

  /// `user_max`: messages waiting in the user lane, with the one at work.
  small_actor(caf::actor_config& config, std::size_t user_max, time_point now);
  ~small_actor() override;

  /// Thread-safe.
  const actor_counts& counts() const noexcept { return counts_; }

  using caf::local_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* on) override;
  void launch(caf::execution_unit* on, bool lazy, bool hide) override;
  bool cleanup(caf::error&& why, caf::execution_unit* on) override;
  resume_result resume(caf::execution_unit* on, std::size_t most) override;
  void intrusive_ptr_add_ref_impl() override;
  void intrusive_ptr_release_impl() override;

protected:
  /// One message; what is unknown is passed over. An exception ends the actor.
  virtual void handle(caf::mailbox_element& what) = 0;
  /// The user lane is full, and the message was refused. On the sender's thread.
  virtual void on_refused(caf::mailbox_element& what) = 0;
  /// Ends after the message at work; those behind it are dropped.
  void quit() noexcept { ending_ = true; }

  actor_counts counts_;

private:
  struct two_lanes {
    using mapped_type = caf::mailbox_element;
    using task_size_type = std::size_t;
    using deficit_type = std::size_t;
    using unique_pointer = caf::mailbox_element_ptr;

    // As in CAF's own mailboxes: twice as many of the control lane in a round.
    static deficit_type quantum(const caf::intrusive::drr_queue<caf::policy::urgent_messages>&,
                                deficit_type x) noexcept {
      return x + x;
    }
    static deficit_type quantum(const caf::intrusive::drr_queue<caf::policy::normal_messages>&,
                                deficit_type x) noexcept {
      return x;
    }
    static std::size_t id_of(const caf::mailbox_element& what) noexcept { return what.mid.is_urgent_message() ? 0 : 1; }
  };
  using lanes =
      caf::intrusive::wdrr_fixed_multiplexed_queue<two_lanes, caf::intrusive::drr_queue<caf::policy::urgent_messages>,
                                                   caf::intrusive::drr_queue<caf::policy::normal_messages>>;

  void fetch();
  void work_on(caf::mailbox_element& what);

  caf::intrusive::lifo_inbox<two_lanes> inbox_;
  std::unique_ptr<lanes> waiting_; ///< what was taken out of the inbox; 140 bytes, so only while there is anything
  const std::uint32_t user_max_;
  bool ending_ = false;
};

} // namespace switchboard::runtime
