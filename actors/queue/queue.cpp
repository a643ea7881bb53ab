// The table of a queue: which handler answers what.
#include "actors/queue/queue.hpp"

#include "actors/queue/queue_json.hpp"
#include "actors/queue/queue_work.hpp"

namespace switchboard::telephony {

const sdk::entity_type<queue>& queue_type() {
  using namespace sdk;
  using q = queue;
  static const entity_type<q> made{
      "queue",
      "queue",
      2,
      queues::view,
      {
          creates<q>("POST", "/v1/queues", queues::create),
          lists<q>("GET", "/v1/queues"),
          answers<q>("GET", "/v1/queues/{id}", queues::show),
          answers<q>("PUT", "/v1/queues/{id}", queues::update),
          answers<q>("DELETE", "/v1/queues/{id}", queues::remove),
          answers<q>("GET", "/v1/queues/{id}/stats", queues::show_stats),
          answers<q>("GET", "/v1/queues/{id}/decisions", queues::list_decisions),
          answers<q>("POST", "/v1/queues/{id}/agents", queues::add_agent),
          answers<q>("GET", "/v1/queues/{id}/agents", queues::list_agents),
          answers<q>("DELETE", "/v1/queues/{id}/agents/{agent_id}", queues::remove_agent),
          answers<q>("POST", "/v1/queues/{id}/calls", queues::add_caller),
          answers<q>("GET", "/v1/queues/{id}/calls", queues::list_callers),
          answers<q>("DELETE", "/v1/queues/{id}/calls/{call_id}", queues::kick),
          answers<q>("POST", "/v1/queues/{id}/calls/{call_id}/callback", queues::ask_callback),
          answers_by<q>("queue_id", "POST", "/v1/services/type/queuecall", queues::add_caller_by_service),
          told<q>("add_caller", queues::take_caller, queues::no_queue_for_new_caller),
          told<q>("request_callback", queues::callback_wanted),
          told<q>("disown_caller", queues::disown_caller),
          told<q>("remove_caller", queues::remove_caller),
          told<q>("agent_status", queues::agent_status_news, queues::no_queue_for_agent),
          told<q>("agent_gone", queues::agent_gone),
          told<q>("offer_accepted", queues::offer_accepted, queues::no_queue_for_offer),
          told<q>("offer_rejected", queues::offer_rejected),
          told<q>("offer_withdrawn", queues::offer_withdrawn, queues::no_queue_for_offer),
          told<q>("offer_check", queues::offer_check, queues::no_queue_for_offer),
          told<q>("call_joined", queues::call_joined, queues::no_queue_for_call),
          told<q>("call_refused", queues::call_refused),
          told<q>("call_answered", queues::call_answered, queues::no_queue_for_call),
          told<q>("call_ended", queues::call_ended),
          told<q>("connect_finished", queues::connect_finished, queues::nobody_to_go_on_with),
          told<q>("participant_joined", queues::participant_joined),
          told<q>("participant_refused", queues::participant_refused),
          told<q>("conference_ended", queues::conference_over),
          told<q>("caller_accepted", queues::caller_accepted),
          told<q>("caller_refused", queues::caller_refused),
          timer<q>("ring", queues::rang_out),
          timer<q>("wait", queues::waited_too_long),
          timer<q>("service", queues::talked_too_long),
          timer<q>("join", queues::did_not_join),
          timer<q>("retry", queues::try_again),
          timer<q>("overflow", queues::overflow_overdue),
          timer<q>("position", queues::position_due),
          timer<q>("relax", queues::relaxed_now),
          timer<q>("audit", queues::audit),
      },
      upgrade_queue};
  return made;
}

} // namespace switchboard::telephony
