/* Everything that libauthws offers to programs, in one include.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_H
#define AUTHWS_H

#include "base/bytes.h"
#include "base/file.h"
#include "base/keyed.h"
#include "base/log.h"
#include "base/normal.h"
#include "base/text.h"
#include "shm/counters.h"
#include "shm/segment.h"
#include "digest/algorithm.h"
#include "digest/challenge.h"
#include "digest/compute.h"
#include "digest/credentials.h"
#include "digest/keyring.h"
#include "digest/nc_table.h"
#include "digest/nonce.h"
#include "digest/params.h"
#include "digest/respond.h"
#include "digest/verify.h"
#include "session/connections.h"
#include "session/throttle.h"
#include "store/a1.h"
#include "store/a1_edit.h"
#include "store/a1_import.h"
#include "store/a1_index.h"
#include "store/a1_store.h"
#include "store/a1_table.h"
#include "store/a1_uplift.h"
#include "ws/conn.h"
#include "ws/deflate.h"
#include "ws/frame.h"
#include "ws/handshake.h"
#include "ws/mask.h"
#include "ws/origin.h"
#include "ws/pool.h"
#include "ws/utf8.h"
#include "store/a1_users.h"

#endif
