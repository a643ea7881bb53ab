/* The C ABI between the host (src/runtime) and a plugin: bytes and function pointers only, so that a plugin built by
 * another compiler is refused or works, and a state saved by v1 can be opened by v2. Plugin authors use the C++
 * wrapper (sdk/entity.hpp), which ends here.
 *
 * Threads: the host calls open/decide/view/close of one instance from one thread at a time, of different instances at
 * the same time. Ownership: every sb_bytes is borrowed for the duration of the call it is passed to. Errors: no C++
 * exception may cross; decide returns non-zero and fills `fail` instead. `size` members let a later minor version grow.
 */
#ifndef SWITCHBOARD_SDK_ABI_H
#define SWITCHBOARD_SDK_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SWITCHBOARD_ABI_MAJOR 1 /* a host loads only plugins of its own major */
#define SWITCHBOARD_ABI_MINOR 2 /* ... and of its own or a lower minor */

typedef struct sb_bytes {
  const char* data;
  size_t size;
} sb_bytes;

typedef struct sb_sink { /* where a plugin writes bytes of any length; write may be called many times, it appends */
  void* self;
  void (*write)(void* self, sb_bytes part);
} sb_sink;

typedef enum sb_message_kind {
  SB_REQUEST = 1, /* an RPC: name is the method, route the path without query; wants reply() or refuse() */
  SB_EVENT = 2,   /* a subscribed event: name is its type, from_type/from_id the resource */
  SB_MESSAGE = 3, /* from another entity: name as sent, from_type/from_id the sender */
  SB_TIMER = 4    /* a timer this entity armed: name as armed, body its payload */
} sb_message_kind;

typedef struct sb_message {
  size_t size;
  uint32_t kind;        /* an sb_message_kind */
  sb_bytes message_id;  /* unique; the host has dropped repeats already */
  sb_bytes customer_id; /* tenant of the sender, may be empty */
  sb_bytes name;
  sb_bytes route;
  sb_bytes query; /* "page_size=10", may be empty */
  sb_bytes from_type;
  sb_bytes from_id;
  sb_bytes headers; /* JSON object, may be empty */
  sb_bytes body;    /* JSON, may be empty */
} sb_message;

typedef struct sb_context {
  size_t size;
  sb_bytes entity_id;
  int64_t now_ms;    /* UTC milliseconds since 1970: the only clock of a decision */
  uint64_t random;   /* fresh for each decision and journalled: the only randomness */
  sb_bytes settings; /* JSON object: the plugin's section of the configuration file */
} sb_context;

/* Why a decision failed (seed 000, "Error Categories"; business errors are no failures: refuse()). */
typedef enum sb_failure {
  SB_FAILURE = 0,   /* unknown: a request is answered 500 and becomes a dead letter, anything else is tried again */
  SB_TRANSIENT = 1, /* tried again: after 1, 2, 4, 8, 16, 32 s, then a dead letter */
  SB_PERMANENT = 2  /* it never can be done: a dead letter at once */
} sb_failure;

/* What a decision wants done. The host collects the calls and commits them as one transaction with the message itself,
 * or none of them if decide fails. */
typedef struct sb_outcome {
  size_t size;
  void* self;
  void (*reply)(void* self, int status, sb_bytes body_json);
  void (*refuse)(void* self, int status, sb_bytes reason, sb_bytes text); /* an error reply; reason e.g. "NOT_FOUND" */
  void (*state)(void* self, uint32_t version, sb_bytes customer_id, sb_bytes bytes); /* none: state unchanged */
  void (*end)(void* self); /* the entity is over: forget state and timers */
  void (*event)(void* self, sb_bytes type, sb_bytes customer_id, sb_bytes resource_id, sb_bytes data_json);
  void (*send)(void* self, sb_bytes to_type, sb_bytes to_id, sb_bytes name, sb_bytes body_json);
  void (*arm_timer)(void* self, sb_bytes name, int64_t delay_ms, sb_bytes payload_json); /* replaces one of that name */
  void (*cancel_timer)(void* self, sb_bytes name);
  void (*fail)(void* self, sb_bytes text); /* why decide returned non-zero */
  /* Since 1.1: the same, with an sb_failure. */
  void (*fail_as)(void* self, int32_t failure, sb_bytes text);
} sb_outcome;

typedef enum sb_route_target {
  SB_CREATE = 1,  /* a new entity under a fresh UUID (or the body's "id"); state is absent */
  SB_BY_ID = 2,   /* the entity named by {id} in the pattern; unknown: the host answers 404 */
  SB_BY_BODY = 3, /* the entity named by the body's field `key`; unknown: 404 */
  SB_LIST = 4,    /* answered by the host from stored states through view(), newest first, of the caller's tenant */
  SB_WORK = 5     /* since 1.2: needs no entity. An instance without state decides once and is closed; it gives none */
} sb_route_target;

typedef struct sb_route {
  const char* method;  /* "POST" */
  const char* pattern; /* "/v1/calls/{id}/hold"; {name} matches one segment; the longest pattern wins */
  uint32_t target;     /* an sb_route_target */
  const char* key;     /* for SB_BY_BODY, else NULL */
} sb_route;

typedef struct sb_subscription {
  const char* event_type; /* "conference.ended" */
  const char* key; /* field of the event's data that names the entity to tell, e.g. "call_id". Since 1.2 NULL: whoever
                      has the id of the event's resource, and it need not exist */
} sb_subscription;

typedef struct sb_entity_type {
  size_t size;
  const char* type;    /* "call": part of the entity's address */
  const char* service; /* "call": its routes are served from bin-manager.call.request; NULL: not reachable by RPC */
  uint32_t state_version;
  const sb_route* routes;
  size_t route_count;
  const sb_subscription* subscriptions;
  size_t subscription_count;
  /* A live instance from saved bytes (empty: a new entity, which exists once a decision gives it a state) of
   * `version`, which may be older. NULL on failure, with the reason in `error`. */
  void* (*open)(sb_bytes state, uint32_t version, sb_sink* error);
  int (*decide)(void* instance, const sb_message* message, const sb_context* context, sb_outcome* outcome);
  void (*view)(void* instance, sb_sink* json); /* the public JSON of the resource */
  void (*close)(void* instance);
  /* Since 1.2; may be NULL. A state saved under `version` as the version `older` would have saved it, so that the
   * plugin that served before can take its entities back. 0: `out` holds it; else why not. */
  int (*downgrade)(sb_bytes state, uint32_t version, uint32_t older, sb_sink* out);
} sb_entity_type;

typedef struct sb_plugin {
  size_t size;
  uint32_t abi_major;
  uint32_t abi_minor;
  const char* name;    /* "call" */
  const char* version; /* "1.0.0" */
  const sb_entity_type* const* types;
  size_t type_count;
} sb_plugin;

/* The one exported symbol. Called once after dlopen; the result lives as long as the process. */
typedef const sb_plugin* (*sb_plugin_entry)(void);
const sb_plugin* switchboard_plugin_entry(void) __attribute__((visibility("default")));
#define SWITCHBOARD_PLUGIN_ENTRY "switchboard_plugin_entry"

/* The manifest is text in an ELF section, readable without loading: lines "abi=1.0", "name=call", "version=1.0.0". */
#define SWITCHBOARD_MANIFEST_SECTION ".switchboard.manifest"

#ifdef __cplusplus
}
#endif

#endif
