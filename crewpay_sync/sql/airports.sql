-- name: merge
insert into crew.airports as a (iata, icao, name, time_zone, country)
select n.iata, n.icao, n.name, n.time_zone, n.country
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) as n (iata, icao, name, time_zone, country)
on conflict (iata) do update
  set icao = excluded.icao, name = excluded.name, time_zone = excluded.time_zone, country = excluded.country
  where (a.icao, a.name, a.time_zone, a.country)
    is distinct from (excluded.icao, excluded.name, excluded.time_zone, excluded.country);
