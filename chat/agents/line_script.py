"""The scripts by which processes share an account's line: Redis runs each step as one.

A step does what a process asks for, gives seats and calls to those of its questions whose turn it
is, and says when to look again. Who is next but belongs to another process is called through that
process. The order is that of chat/agents/fair_queue.py. Everything of a process is a lease: it
lapses when the process takes no step for LEASE_S seconds.

TURNS is one sorted set for all levels of the order: everybody (""), an address, a visitor of an
address. An entry is `level:`, a phase, a number and a name, so that the entries of a level stand
together in the order of their turns. Of the phases 0 is served in this round, 1 came meanwhile, 2
has had a turn in this round. TURNED holds who has had one, as `level:` and the name.

An operation is one argument, its words between spaces:

    enter ID ADDRESS VISITOR MOST   one more in the room; MOST of its address, 0 for any number
    keep ID ADDRESS VISITOR         the same for one who was in the room before
    ask ID                          from now on it waits for a seat and its first call
    seat ID ADDRESS VISITOR         it has a seat
    leave ID SECONDS                it gives up what it has; it had its seat for so long
    further ID                      a running turn waits for a call
    drop ID                         it waits no longer
    hold SECONDS                    nobody gets a call for so long
"""

from chat.agents.queues import FIRST_GUESS_S, NEWEST_SHARE

# A process that takes no step for so long is dead.
LEASE_S = 6.0
# When nobody of the whole site was heard for so long, Redis was away, or everybody was.
SILENCE_S = 5.0
# After that nobody gets a seat or a call for so long: who has a seat says so first.
CALM_S = 3.0
# Longer than any pause of a platform.
KEPT_S = 7200
# How long a process's id and the names of addresses and visitors are, in characters.
PROCESS, NAME = 16, 12

# KEYS: when the site was heard, and until when it is calm. Notes a sign of life of the site.
SIGN = f"""
local heard = tonumber(redis.call('HGET', KEYS[1], 'heard'))
if not heard or now - heard > {SILENCE_S} then
  redis.call('HSET', KEYS[1], 'calm', string.format('%.6f', now + {CALM_S}))
end
redis.call('HSET', KEYS[1], 'heard', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], {KEPT_S})
"""

# The names of the keys, in order.
KEYS = ("processes", "state", "turns", "turned", "tickets", "seats", "running")

# KEYS: these, and that of SIGN. ARGV: the process, the account, the channel, seats (0: any number),
# seconds from call to call, how many may wait in all, and of a visitor, flags (k: it has something
# in line, w: what it names is all it has, p: it wants to know places), operations.
#
# Returns a word, `lost` when the process has to name all it has, `broken` with an error when the
# keys contradicted each other and were deleted; else `well` and
#     who of the process was given a seat or a call
#     who was refused: id, bound, how many wait in that bound, how many are served until the first
#     who waits, and how many are ahead of each
#     microseconds: until the next look (-1: until called), the next call, the end of the calm
#     how many wait, how many running turns do, how many seats are taken, how long in microseconds
_STATE = f"""
local PROCESSES, STATE, TURNS, TURNED, TICKETS, SEATS, RUNNING, SITE = unpack(KEYS)
local me, account, channel, flags = ARGV[1], ARGV[2], ARGV[3], ARGV[8]
local seats, gap = tonumber(ARGV[4]), tonumber(ARGV[5])
local most, most_of_visitor = tonumber(ARGV[6]), tonumber(ARGV[7])
local LEASE, CALM, KEPT, PROCESS, NAME = {LEASE_S}, {CALM_S}, {KEPT_S}, {PROCESS}, {NAME}
local FIRST_GUESS, NEWEST_SHARE = {FIRST_GUESS_S}, {NEWEST_SHARE}
local call = redis.call

local function has(flag) return string.find(flags, flag, 1, true) ~= nil end
local function process_of(id) return string.sub(id, 1, PROCESS) end
local function text(seconds) return string.format('%.6f', seconds) end
local function micro(seconds) return math.ceil(seconds * 1000000) end
local function state(name, default) return tonumber(call('HGET', STATE, name) or default or 0) end
"""

_ORDER = """
local function entries(set, level)
  return call('ZRANGE', set, '[' .. level .. ':', '(' .. level .. ';', 'BYLEX')
end

-- Of a level, who is next, and in which phase.
local function first(level)
  local from, to = '[' .. level .. ':', '(' .. level .. ';'
  local entry = call('ZRANGE', TURNS, from, to, 'BYLEX', 'LIMIT', 0, 1)[1]
  if entry then return string.sub(entry, #level + 15), string.sub(entry, #level + 2, #level + 2) end
end

local function put(level, phase, name)
  local position = phase .. string.format('%012d', call('HINCRBY', STATE, 'number', 1))
  call('ZADD', TURNS, 0, level .. ':' .. position .. name)
  call('HSET', STATE, level .. ':' .. name, position)
end

local function take_out(level, name)
  local position = call('HGET', STATE, level .. ':' .. name)
  call('ZREM', TURNS, level .. ':' .. position .. name)
  call('HDEL', STATE, level .. ':' .. name)
end

local function waits(level, name) return call('HEXISTS', STATE, level .. ':' .. name) == 1 end
local function had_turn(level, name) return call('ZSCORE', TURNED, level .. ':' .. name) end

local function forget_turns(level)
  call('ZREMRANGEBYLEX', TURNED, '[' .. level .. ':', '(' .. level .. ';')
end

local function join(level, name)
  if not waits(level, name) then put(level, had_turn(level, name) and '2' or '1', name) end
end

local function append(list, first, second)
  list[#list + 1] = first
  list[#list + 1] = second
end

-- Lua gives a call no more than some thousand arguments.
local function call_in_parts(command, key, arguments)
  for from = 1, #arguments, 1000 do
    call(command, key, unpack(arguments, from, math.min(from + 999, #arguments)))
  end
end

local function begin_round(level)
  for _, entry in ipairs(entries(TURNED, level)) do
    local name = string.sub(entry, #level + 2)
    if not waits(level, name) then forget_turns(level .. name) end
  end
  forget_turns(level)
  local members = entries(TURNS, level)
  local number = call('HINCRBY', STATE, 'number', #members) - #members
  local turns, positions = {}, {}
  for place, entry in ipairs(members) do
    local name = string.sub(entry, #level + 15)
    local position = '0' .. string.format('%012d', number + place)
    append(turns, 0, level .. ':' .. position .. name)
    append(positions, level .. ':' .. name, position)
  end
  call('ZREMRANGEBYLEX', TURNS, '[' .. level .. ':', '(' .. level .. ';')
  call_in_parts('ZADD', TURNS, turns)
  call_in_parts('HSET', STATE, positions)
end

local function serve(level, name)
  take_out(level, name)
  call('ZADD', TURNED, 0, level .. ':' .. name)
  if first(level .. name) then put(level, '2', name) end
end

local function quit(level, name)
  if first(level .. name) then return end
  take_out(level, name)
  if not had_turn(level, name) then forget_turns(level .. name) end
end

local function head()
  local address = first('')
  local visitor = address and first(address)
  if visitor then return first(address .. visitor), address, visitor end
end

local function pop(id, address, visitor)
  for _, level in ipairs({'', address}) do
    local _, phase = first(level)
    if phase ~= '0' then begin_round(level) end
  end
  take_out(address .. visitor, id)
  serve(address, visitor)
  serve('', address)
end

-- The first of each queue, then the second of each, and so on.
local function interleave(members, queue_of)
  local queues, order, rank, is_more = {}, {}, 0, true
  for number, member in ipairs(members or {}) do queues[number] = queue_of(member) end
  while is_more do
    is_more, rank = false, rank + 1
    for _, queue in ipairs(queues) do
      is_more = is_more or queue[rank] ~= nil
      order[#order + 1] = queue[rank]
    end
  end
  return order
end

local function whole_order()
  local levels = {}
  for _, entry in ipairs(call('ZRANGE', TURNS, 0, -1)) do
    local colon = string.find(entry, ':', 1, true)
    local level = string.sub(entry, 1, colon - 1)
    levels[level] = levels[level] or {}
    table.insert(levels[level], string.sub(entry, colon + 14))
  end
  return interleave(levels[''], function(address)
    return interleave(levels[address], function(visitor) return levels[address .. visitor] end)
  end)
end
"""

_OPERATIONS = """
local granted, refused, named, operations = {}, {}, {}, {}

local function origin_of(id)
  local origin = call('HGET', TICKETS, id)
  if origin then return string.sub(origin, 1, NAME), string.sub(origin, NAME + 1) end
end

local function count(address, visitor, change)
  for _, name in ipairs({'all', 'of ' .. visitor, 'at ' .. address}) do
    if call('HINCRBY', STATE, name, change) <= 0 then call('HDEL', STATE, name) end
  end
end

local function refuse(id, bound, waiting, is_of)
  local order = whole_order()
  local served = #order
  for place = #order, 1, -1 do
    if is_of(origin_of(order[place])) then served = place end
  end
  refused[#refused + 1] = {id, bound, waiting, served}
end

function operations.keep(id, address, visitor)
  if call('HSETNX', TICKETS, id, address .. visitor) == 1 then count(address, visitor, 1) end
end

function operations.enter(id, address, visitor, most_of_address)
  local all, of, at = state('all'), state('of ' .. visitor), state('at ' .. address)
  local bound = tonumber(most_of_address)
  if all >= most then
    refuse(id, 'all', all, function() return true end)
  elseif of >= most_of_visitor then
    refuse(id, 'visitor', of, function(_, other) return other == visitor end)
  elseif bound > 0 and at >= bound then
    refuse(id, 'address', at, function(other) return other == address end)
  else
    operations.keep(id, address, visitor)
  end
end

function operations.ask(id)
  local address, visitor = origin_of(id)
  if call('SISMEMBER', SEATS, id) == 1 then
    granted[#granted + 1] = id
  elseif address and not waits(address .. visitor, id) then
    join('', address)
    join(address, visitor)
    put(address .. visitor, '0', id)
  end
end

function operations.leave(id, seconds)
  local address, visitor = origin_of(id)
  if not address then return end
  call('HDEL', TICKETS, id)
  if call('SREM', SEATS, id) == 1 then
    local mean = state('mean', FIRST_GUESS)
    local change = seconds and NEWEST_SHARE * (tonumber(seconds) - mean) or 0
    call('HSET', STATE, 'mean', text(mean + change), 'called', '')
    return
  end
  count(address, visitor, -1)
  if waits(address .. visitor, id) then
    take_out(address .. visitor, id)
    quit(address, visitor)
    quit('', address)
  end
end

function operations.seat(id, address, visitor)
  if call('SISMEMBER', SEATS, id) == 1 then return end
  operations.leave(id)
  call('HSET', TICKETS, id, address .. visitor)
  call('SADD', SEATS, id)
end

function operations.further(id)
  if not call('LPOS', RUNNING, id) then call('RPUSH', RUNNING, id) end
end

function operations.drop(id) call('LREM', RUNNING, 1, id) end

function operations.hold(seconds)
  call('HSET', STATE, 'next', text(math.max(state('next'), now + tonumber(seconds))))
end

local function do_operations()
  for number = 9, #ARGV - 1 do
    local words = {}
    for word in string.gmatch(ARGV[number], '%S+') do words[#words + 1] = word end
    named[words[2]] = true
    operations[words[1]](unpack(words, 2))
  end
end

local function free(is_gone)
  for _, id in ipairs(call('HKEYS', TICKETS)) do
    if is_gone(id) then operations.leave(id) end
  end
  for _, id in ipairs(call('LRANGE', RUNNING, 0, -1)) do
    if is_gone(id) then operations.drop(id) end
  end
end

local function free_the_dead()
  for _, process in ipairs(call('ZRANGEBYSCORE', PROCESSES, '-inf', text(now - LEASE))) do
    free(function(id) return process_of(id) == process end)
    call('ZREM', PROCESSES, process)
  end
end
"""

_TURN = """
-- New questions and running turns have calls alternately. A new one needs a seat as well.
local function next_up()
  local running = call('LINDEX', RUNNING, 0)
  local new, address, visitor = head()
  if seats > 0 and call('SCARD', SEATS) >= seats then new = nil end
  if running and (not new or call('HGET', STATE, 'last') ~= 'running') then return running end
  if new then return new, address, visitor end
end

-- Gives to this process; returns who is next after that, and when.
local function give()
  local at = state('next')
  local id, address, visitor = next_up()
  while id and process_of(id) == me and at <= now do
    if gap > 0 then at = now + gap end
    if address then
      pop(id, address, visitor)
      count(address, visitor, -1)
      call('SADD', SEATS, id)
    else
      call('LPOP', RUNNING)
    end
    local last = address and 'new' or 'running'
    call('HSET', STATE, 'last', last, 'next', text(at), 'called', '')
    granted[#granted + 1] = id
    id, address, visitor = next_up()
  end
  return id, at
end

local function call_other(id)
  if call('HGET', STATE, 'called') == id then return end
  call('HSET', STATE, 'called', id)
  call('PUBLISH', channel, 'look ' .. process_of(id) .. ' ' .. account)
end

local function places_of_mine()
  local places = {}
  for place, id in ipairs(has('p') and whole_order() or {}) do
    if process_of(id) == me then append(places, id, place - 1) end
  end
  return places
end

local function step()
  -- Redis has forgotten the site, or holds this process for dead.
  if call('HEXISTS', SITE, 'heard') == 0 then return {'lost'} end
  if has('k') and not call('ZSCORE', PROCESSES, me) then return {'lost'} end
  call('ZADD', PROCESSES, text(now), me)
  free_the_dead()
  do_operations()
  if has('w') then free(function(id) return process_of(id) == me and not named[id] end) end
  local calm = tonumber(call('HGET', SITE, 'calm') or 0) - now
  local wait, at = calm, state('next')
  if calm <= 0 then
    local id
    id, at = give()
    wait = -1
    if id and process_of(id) == me then
      wait = at - now
    elseif id then
      call_other(id)
    end
  end
  for number = 1, 7 do call('EXPIRE', KEYS[number], KEPT) end
  return {'well', granted, refused, places_of_mine(),
    wait < 0 and -1 or micro(wait), micro(at - now), micro(calm),
    state('all'), call('LLEN', RUNNING), call('SCARD', SEATS), micro(state('mean', FIRST_GUESS))}
end

local is_well, reply = pcall(step)
if is_well then return reply end
for number = 1, 7 do call('DEL', KEYS[number]) end
call('HSET', SITE, 'calm', text(now + CALM))
return {'broken', type(reply) == 'table' and reply.err or reply}
"""

STEP = _STATE + _ORDER + _OPERATIONS + _TURN
