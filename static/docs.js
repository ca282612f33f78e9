// The page of the description: /openapi.json by families, each operation folded. Everything in it is put there as text.
(() => {
  'use strict';

  const said = document.getElementById('said');
  const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

  // An element with attributes and children; text is text.
  const el = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ''));
    return node;
  };

  // What stands between backticks is code.
  const words = (text) => text.split('`').map((part, index) => (index % 2 ? el('code', {}, part) : part));
  const prose = (text) => (text ? text.split('\n\n').map((part) => el('p', {}, words(part))) : []);
  const short = (ref) => ref.split('/').pop();

  // The schema in one line: what kind of value it is.
  const kind = (schema) => {
    if (schema.$ref) return [el('a', { href: `#schema-${short(schema.$ref)}` }, short(schema.$ref))];
    if (schema.anyOf || schema.allOf) {
      const parts = (schema.anyOf ?? schema.allOf).map(kind).filter((part) => part.length);
      return parts.flatMap((part, index) => (index ? [schema.anyOf ? ' or ' : ' with ', ...part] : part));
    }
    if (schema.enum) return schema.enum.flatMap((word, index) => [index ? ' ' : '', el('code', {}, String(word))]);
    if ('const' in schema) return [el('code', {}, String(schema.const))];
    if (schema.type === 'array') return ['list of ', ...kind(schema.items ?? {})];
    if (schema.properties?.error?.enum) return kind(schema.properties.error);
    if (schema.properties?.err?.enum) return kind(schema.properties.err);
    return schema.type ? [[schema.type].flat().join(' or ') + (schema.format ? `, ${schema.format}` : '')] : [];
  };

  const facts = (rows) =>
    el('dl', { class: 'facts' }, rows.map(([name, ...value]) => el('div', {}, el('dt', {}, name), el('dd', {}, ...value))));

  // The members of an object, those inside too.
  const members = (schema) => {
    const all = Object.entries(schema.properties ?? {});
    if (!all.length) return [];
    return [
      facts(
        all.map(([name, member]) => [
          [el('code', {}, name), schema.required?.includes(name) ? el('span', { class: 'small' }, ' needed') : ''],
          [...kind(member), member.description ? [el('br'), ...words(member.description)] : [], members(member.items ?? member)],
        ]),
      ),
    ];
  };

  const body = (media, schema) => [el('p', {}, el('code', {}, media), ' ', ...kind(schema)), ...members(schema)];

  const answer = (status, response) => [
    `${status}`,
    ...words(response.description ?? ''),
    Object.entries(response.content ?? {}).map(([media, { schema }]) => el('p', {}, el('code', {}, media), ' ', ...kind(schema))),
    response.headers ? el('p', { class: 'soft' }, `Headers: ${Object.keys(response.headers).join(', ')}`) : '',
  ];

  const operation = (method, path, one, components) => {
    const signs = (one.security ?? []).map((scheme) => Object.keys(scheme)[0]);
    const resolve = (response) => (response.$ref ? components.responses[short(response.$ref)] : response);
    return el(
      'details',
      { id: one.operationId, class: 'operation' },
      el('summary', {}, el('h3', {}, el('span', { class: 'tag' }, method.toUpperCase()), ' ', el('code', {}, path)), el('span', { class: 'soft' }, one.summary)),
      prose(one.description),
      one['x-aliases'] ? el('p', { class: 'soft' }, 'Also at ', one['x-aliases'].flatMap((alias, index) => [index ? ', ' : '', el('code', {}, alias)])) : '',
      signs.length ? el('p', {}, 'Credential: ', signs.map((name, index) => [index ? ' or ' : '', name ? el('a', { href: `#credential-${name}` }, name) : 'none'])) : '',
      one.parameters ? [el('h4', {}, 'Parameters'), facts(one.parameters.map((p) => [[el('code', {}, p.name), ` ${p.in}`], [...kind(p.schema), p.description ? [el('br'), ...words(p.description)] : []]]))] : '',
      one.requestBody ? [el('h4', {}, 'Body'), Object.entries(one.requestBody.content).map(([media, { schema }]) => body(media, schema))] : '',
      el('h4', {}, 'Answers'),
      facts(Object.entries(one.responses).map(([status, response]) => answer(status, resolve(response)))),
    );
  };

  const show = (api) => {
    const all = document.getElementById('all');
    const tags = document.getElementById('tags');
    const list = Object.entries(api.paths).flatMap(([path, methods]) => METHODS.filter((method) => methods[method]).map((method) => [method, path, methods[method]]));
    for (const { name, description } of api.tags) {
      tags.append(el('a', { href: `#family-${name}` }, name), ' ');
      const own = list.filter(([, , one]) => one.tags.includes(name));
      all.append(el('section', { class: 'family' }, el('h2', { id: `family-${name}` }, name), prose(description), own.map((each) => operation(...each, api.components))));
    }
    const schemas = Object.entries(api.components.schemas).map(([name, schema]) =>
      el('details', { id: `schema-${name}`, class: 'operation' }, el('summary', {}, el('h3', {}, el('code', {}, name))), prose(schema.description), schema.properties ? members(schema) : el('p', {}, ...kind(schema))),
    );
    const credentials = Object.entries(api.components.securitySchemes).map(([name, scheme]) =>
      el('details', { id: `credential-${name}`, class: 'operation' }, el('summary', {}, el('h3', {}, name)), prose(scheme.description)),
    );
    tags.append(el('a', { href: '#family-Credentials' }, 'Credentials'), ' ', el('a', { href: '#family-Schemas' }, 'Schemas'));
    all.append(el('section', { class: 'family' }, el('h2', { id: 'family-Credentials' }, 'Credentials'), credentials));
    all.append(el('section', { class: 'family' }, el('h2', { id: 'family-Schemas' }, 'Schemas'), ...schemas));
    said.textContent = `${list.length} operations. Version ${api.info.version}.`;
    return [...all.querySelectorAll('.operation')];
  };

  // What a link leads to is unfolded.
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.scrollIntoView();
      target.querySelector('summary').focus({ preventScroll: true });
    }
  };

  const search = (folded) => {
    const word = document.getElementById('word');
    const texts = folded.map((node) => node.textContent.toLowerCase());
    document.getElementById('find').hidden = false;
    word.addEventListener('input', () => {
      const wanted = word.value.trim().toLowerCase();
      folded.forEach((node, index) => { node.hidden = !texts[index].includes(wanted); });
      for (const section of document.querySelectorAll('.family')) section.hidden = !section.querySelector('.operation:not([hidden])');
      const left = folded.filter((node) => !node.hidden).length;
      said.textContent = wanted ? `${left} found.` : `${folded.length} in all.`;
    });
  };

  fetch('/openapi.json')
    .then((response) => (response.ok ? response.json() : Promise.reject(new Error(response.status))))
    .then((api) => {
      search(show(api));
      open();
      addEventListener('hashchange', open);
    })
    .catch(() => { said.textContent = 'The description could not be read. Try again in a minute, or open /openapi.json.'; });
})();
