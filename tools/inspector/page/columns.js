/** Reads the log of a report: events as columns, as columns.py writes them. */

export class ColumnReader {
  /** @param {string} host the name of the host, for each record */
  constructor(host) {
    this.host = host;
    this.groups = [];
    this.shapes = [];
  }

  /** The records of one part of the log. @param {object} part @returns {object[]} */
  records(part) {
    this.groups.push(...(part.groups || []));
    this.shapes.push(...(part.shapes || []));
    const {s, g, f, a, t, v} = part, records = [];
    let at = 0, place = 0;
    for (let i = 0; i < s.length; i++) {
      const [name, cause, why, keys, fixed] = this.shapes[s[i]];
      const data = {};
      let next = 0;
      for (let key = 0; key < keys.length; key++) {
        if (next < fixed.length && fixed[next][0] === key) data[keys[key]] = fixed[next++][1];
        else data[keys[key]] = v[place++];
      }
      at += a[i];
      const n = part.n + (part.numbers ? part.numbers[i] : i);
      records.push({n, time: (at - t[i]) / 1000, at: at / 1000, name, group_id: this.groups[g[i]], frame: f[i] ? n - f[i] + 1 : 0,
        cause, data, why, host: this.host});
    }
    return records;
  }
}
