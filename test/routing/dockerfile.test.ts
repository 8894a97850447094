import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { baseOf, expand, parseDockerfile } from '../../src/routing/dockerfile.ts';
import {
  CHANGE,
  COMMENTS,
  CUT,
  excerptOf,
  FROM_LINES_KEPT,
  FROM_LINES_ONLY,
  MAX_CONTEXT,
  TOO_LONG,
} from '../../src/routing/excerpt.ts';

const last = (file: string) => {
  const dockerfile = parseDockerfile(excerptOf(file));
  return baseOf(dockerfile, dockerfile.stages.length - 1);
};

describe('what a stage builds on', () => {
  test.each([
    ['FROM alpine:3.22', 'alpine:3.22'],
    ['from alpine:3.22 as base\nFrom Base', 'alpine:3.22'],
    ['FROM --platform=$BUILDPLATFORM alpine:3.22 AS a\nFROM a AS b\nFROM b', 'alpine:3.22'],
    ['FROM a AS b\nFROM b AS a\nFROM a', 'a'],
    ['FROM base AS base\nFROM base', 'base'],
    ['ARG B=alpine:3.22\nFROM $B', 'alpine:3.22'],
    ['ARG B="alpine" T=\'3.22\'\nFROM ${B}:${T}', 'alpine:3.22'],
    ['ARG T=3.22\nARG B=alpine:${T}\nFROM ${B}', 'alpine:3.22'],
    ['FROM alpine:${T:-3.22}', 'alpine:3.22'],
    ['ARG T\nFROM alpine:${T:-3.22}', 'alpine:3.22'],
    ['ARG T=1\nFROM alpine${T:+:3.22}', 'alpine:3.22'],
    ['ARG T\nFROM alpine:$T', 'alpine:$T'],
    ['ARG T=\nFROM alpine:$T', undefined],
    ['ARG R=""\nFROM ${R}alpine:3.22', 'alpine:3.22'],
    ['ARG R\nFROM ${R}alpine:3.22', '${R}alpine:3.22'],
    ['ARG R\nARG T=3.22\nFROM ${R}/alpine:$T', '${R}/alpine:3.22'],
    ['FROM alpine:${T%.*}', 'alpine:${T%.*}'],
    // Only the ARG lines in front of the first FROM count.
    ['FROM x\nARG T=3.22\nFROM alpine:$T', 'alpine:$T'],
    ['FROM \\\n  alpine:3.22 \\\n AS x', 'alpine:3.22'],
    ['FROM alpine:3.22 AS a\r\n\r\nFROM a\r\n', 'alpine:3.22'],
    ['# FROM debian\nFROM alpine:3.22\r\n# FROM debian\r\n', 'alpine:3.22'],
    ['FROM alpine:3.22\nRUN python3 - <<EOF\nfrom os import path\nEOF', 'alpine:3.22'],
    // In a Dockerfile that is written.
    ['FROM alpine:3.22\nRUN cat > Dockerfile <<EOF\nFROM alpine:3.24\nEOF\nRUN true', 'alpine:3.22'],
    [
      'FROM alpine:3.22\r\nCOPY <<-"EOF" /Dockerfile\r\n\t# why\r\n\r\n\tARG V=3.24\r\n\tfrom alpine:$V AS a\r\n\tEOF\r\n',
      'alpine:3.22',
    ],
    ['FROM alpine:3.22 AS a\nRUN <<EOF\nFROM alpine:3.24 AS a\nEOF\nFROM a', 'alpine:3.22'],
    ['FROM debian\nRUN <<EOF\napk add a\nEOF\nFROM alpine:3.22', 'alpine:3.22'],
    ['\uFEFFFROM alpine:3.22', 'alpine:3.22'],
    ['\uFEFF# syntax=docker/dockerfile:1\nARG T=3.22\nFROM alpine:$T', 'alpine:3.22'],
  ])('%j → %s', (file, image) => expect(last(file)?.image).toBe(image));
});

describe('what a stage does to its repositories', () => {
  const main = 'https://dl-cdn.alpinelinux.org/alpine/edge/main';
  const plain = { tag: undefined, address: main };
  const acme = { tag: undefined, address: 'https://apks.example.com/os' };
  test.each([
    [`RUN echo ${main} >> /etc/apk/repositories`, [plain]],
    [`RUN echo "${main}" >>/etc/apk/repositories`, [plain]],
    [`RUN echo '@edge ${main}' >> /etc/apk/repositories`, [{ tag: 'edge', address: main }]],
    [
      `RUN printf '%s\\n' '@e ${main}' '${main}' > /etc/apk/repositories`,
      [{ tag: 'e', address: main }, plain],
    ],
    ['RUN echo https://apks.example.com/os >> /etc/apk/repositories', [acme]],
    // At the start of a line:
    [`RUN cat <<EOF >> /etc/apk/repositories\n${main}\nEOF`, [plain]],
    [`RUN echo '${main}\r\n@edge ${main}' >> /etc/apk/repositories`, [plain, { tag: 'edge', address: main }]],
    [`RUN printf '%s\\n' \\\n${main} \\\n>> /etc/apk/repositories`, [plain]],
    [
      `RUN printf '%s\\n' '@edge ${main}' \\\n| tee -a /etc/apk/repositories`,
      [{ tag: 'edge', address: main }],
    ],
    [
      'RUN cat >> /etc/apk/repositories <<-EOF\n\t@edge https://apks.example.com/edge\n\thttps://apks.example.com/os\n\tEOF',
      [{ tag: 'edge', address: 'https://apks.example.com/edge' }, acme],
    ],
    [
      `RUN printf '\\n@edge ${main}\\n${main}\\n' >> /etc/apk/repositories`,
      [{ tag: 'edge', address: main }, plain],
    ],
    [`RUN echo "${main} " >> /etc/apk/repositories`, [plain]],
    // Private ones beside those of Alpine:
    [`RUN printf '%s\\n' 'https://apks.example.com/os' '${main}' >> /etc/apk/repositories`, [acme, plain]],
    [`RUN echo -e "https://apks.example.com/os\\n${main}" > /etc/apk/repositories`, [acme, plain]],
    [`RUN cat > /etc/apk/repositories <<EOF\n${main}\nhttps://apks.example.com/os\nEOF`, [plain, acme]],
    [
      `RUN cat > /etc/apk/repositories <<EOF\n# ours\n\n${main}\n# theirs\n\nhttps://apks.example.com/os\n#\nEOF`,
      [plain, acme],
    ],
    [
      `RUN cat <<EOF >> /etc/apk/repositories && apk update\n${main}\nhttps://apks.example.com/os\nEOF`,
      [plain, acme],
    ],
    [`RUN { echo https://apks.example.com/os; echo "${main}"; } > /etc/apk/repositories`, [acme, plain]],
    [
      `RUN (echo -e '${main}' && \\\n echo 'https://apks.example.com/os') > /etc/apk/repositories`,
      [plain, acme],
    ],
    // None of the stage's:
    [`RUN apk add -X ${main} git`, []],
    [`RUN apk add --repository=${main} git`, []],
    [`RUN apk add -UX ${main} git`, []],
    [`RUN apk add "-X" '${main}' "--repository=${main}" git`, []],
    [`RUN apk add --repository \\\n   "${main}" git`, []],
    [`# ${main}`, []],
    ['RUN curl -O https://example.com/main/install.sh https://example.com/v1/main', []],
    [`RUN curl ${main}/x86_64/a.apk`, []],
  ])('%s', (line, repositories) => {
    expect(last(`FROM alpine:3.22\n${line}\n`)).toMatchObject({ image: 'alpine:3.22', repositories });
  });

  test('counts behind a FROM line that is written to another Dockerfile', () => {
    const written = 'FROM alpine:3.22 AS a\nCOPY <<EOF /Dockerfile\nFROM alpine:3.24\nEOF';
    expect(last(`${written}\nRUN echo ${main} >> /etc/apk/repositories`)).toMatchObject({
      image: 'alpine:3.22',
      repositories: [plain],
    });
  });

  test('counts behind a line of a script that looks like FROM', () => {
    const script = 'RUN python3 - <<EOF\nfrom os import path\nEOF';
    const change = `RUN echo ${main} >> /etc/apk/repositories`;
    expect(last(`FROM alpine:3.22\n${script}\n${change}`)?.repositories).toEqual([plain]);
    expect(
      last(`FROM alpine:3.22\n${script}\nRUN sed -i 's/v3.22/edge/' /etc/apk/repositories`)?.isEdited,
    ).toBe(true);
  });

  test('is inherited until a stage overwrites the list', () => {
    const inherited = `FROM alpine:3.22 AS a\nRUN echo ${main} >> /etc/apk/repositories\nFROM a`;
    expect(last(inherited)?.repositories).toEqual([plain]);
    const listed = `${inherited} AS b\nRUN cat > /etc/apk/repositories <<EOF\n${main}\nEOF`;
    expect(last(listed)).toMatchObject({ isReplaced: true, repositories: [plain] });
    const anew = `${inherited} AS b\nRUN echo https://dl-cdn.alpinelinux.org/alpine/v3.24/main > /etc/apk/repositories`;
    expect(last(anew)).toMatchObject({
      isReplaced: true,
      repositories: [{ address: 'https://dl-cdn.alpinelinux.org/alpine/v3.24/main' }],
    });
  });

  const list = '/etc/apk/repositories';
  /** Also the stage behind has to be found: an expression must not take its line break. */
  const stageWith = (line: string) => {
    const dockerfile = parseDockerfile(excerptOf(`FROM alpine:3.22 AS a\n${line}\nFROM alpine:3.24\n`));
    expect(dockerfile.stages.map(({ image, isEdited }) => [image, isEdited])).toEqual([
      ['alpine:3.22', expect.any(Boolean)],
      ['alpine:3.24', false],
    ]);
    return dockerfile.stages[0];
  };

  test.each([
    `RUN sed -i 's/v3.22/edge/' ${list}`,
    `RUN sed -i -e 's|v[0-9.]*|v3.24|g' ${list}`,
    `RUN sed -i "s/http:/https:/; s/v3.22/edge/" ${list}`,
    `RUN sed -i -e 's;v3.22;edge;' ${list} && apk update`,
    `RUN sed -i 's/v3.22/edge/' "${list}"`,
    `RUN sed -i 's/3\\.22/3.24/' ${list}`,
    `RUN sed -i "s/v\${OLD}/v\${NEW}/" ${list}`,
    `RUN sed -i "s/http:/https:/;s/$OLD/$NEW/" ${list}`,
    `RUN sed -i 's/community/testing/' ${list}`,
    `RUN sed -i '1ihttps://apks.example.com/os' ${list}`,
    `RUN sed -i "\\$a https://apks.example.com/os" ${list}`,
    `RUN sed -i '$ a https://apks.example.com/os' ${list}`,
    `RUN sed -i \\\n# it's newer\n    -e 's/http:/https:/' -e 's/v3.22/edge/' \\\n${list}`,
    `RUN sed -i 's/v3.22/edge/' ${list}\r\nUSER x\r`,
    `RUN true;sed -i 's/v3.22/edge/' ${list}`,
    `RUN (sed -i 's/v3.22/edge/' ${list})`,
    `RUN sed -i ${list} -e 's/http:/https:/' -e 's/v3.22/edge/'`,
    `RUN sed "${list}" -i \\\n -e 's/v3.22/edge/' && apk update`,
    `RUN ["sed", "-i", "s/v3.22/edge/", "${list}"]`,
    `RUN sh -c "sed -i 's/v3.22/edge/' ${list}"`,
    `RUN <<EOF\nsed -i 's/v3.22/edge/' ${list}\nEOF`,
    "RUN cd /etc/apk && sed -i 's/v3.22/edge/' repositories",
    `COPY repositories ${list}`,
    `COPY ["repositories", "${list}"]`,
    'COPY repositories /etc/apk/',
    'COPY repositories /etc/apk',
    `COPY acme.list ${list}.d/`,
    `add --chmod=644 repositories \\\n  ${list}`,
    `COPY --from=a \\\n  ${list} /etc/apk/`,
    `RUN curl https://example.com/list | tee ${list}`,
    `RUN curl https://example.com/list | tee "${list}" > /dev/null`,
    `RUN cat /tmp/list | tee -a ${list}`,
    `RUN cat /tmp/list >> ${list}`,
    `RUN echo "$REPOSITORY" >> "${list}"`,
    `RUN echo https://apks.example.com/v$(cut -d. -f1,2 /etc/alpine-release)/main >> ${list}`,
    `RUN printf '%s%s%s\\n' "https://apks.example.com/v" "3.22" "/main" | tee -a ${list}`,
    `RUN { echo https://apks.example.com/os; } >> ${list}`,
    `RUN { echo ${main}; echo $REPOSITORY; } > ${list}`,
    `RUN cat > ${list} <<EOF\n${main}\n$REPOSITORY\nEOF`,
    `RUN cat <<EOF > ${list}\n${main}\n$REPOSITORY\nEOF`,
    `RUN (echo ${main} && \\\n  echo "$REPOSITORY") > "${list}"`,
    `RUN echo "$REPOSITORY\\n${main}" > ${list}`,
    `RUN printf '%s\\n' ${main} \\\n  "$REPOSITORY" > ${list}`,
    `RUN perl -pi -e 's/v3\\.22/edge/' ${list}`,
    `RUN curl https://example.com/list | dd of=${list}`,
    `RUN cat <<EOF >> ${list}\nhttps://apks.example.com/os\n$REPOSITORY\nEOF`,
    `RUN curl -fsSLo ${list} https://example.com/list`,
    `RUN wget --output-document=${list} https://example.com/list`,
    `RUN cp /tmp/list ${list}`,
    'RUN cp -a /tmp/apk/repositories /etc/apk/',
    `RUN mv /tmp/list ${list}`,
    `RUN rm ${list} && echo https://apks.example.com/os >> ${list}`,
    `RUN printf '%s\\n' '%s/v3.22/edge/' w | ed -s ${list}`,
    `RUN ed ${list} <<EOF\n,s/v3.22/edge/\nw\nEOF`,
    `RUN ex -sc '%s/v3.22/edge/|x' ${list}`,
    `RUN gawk -i inplace '{ sub(/v3.22/, "edge") } 1' ${list}`,
    `RUN truncate --size 0 ${list}`,
    `RUN patch ${list} /tmp/edge.patch`,
    `RUN python3 -c "open('${list}', 'w').write(text)"`,
    `RUN python3 -c "open(\\"${list}\\", \\"w\\").write(text)"`,
    `RUN LIST=${list}; sed -i 's/v3.22/edge/' $LIST`,
    `ENV LIST="${list}"\nRUN sed -i 's/v3.22/edge/' $LIST`,
    `WORKDIR /etc/apk\nRUN sed -i 's/v3.22/edge/' repositories`,
    `RUN python3 <<EOF\nPath("${list}").write_text(text)\nEOF`,
    `RUN install -m 644 /tmp/list ${list}`,
    `RUN ln -sf /tmp/list ${list}`,
    `RUN --mount=type=cache,target=/x --mount=type=bind,source=list,target=${list} apk add git`,
  ])('%s: edited', (line) => expect(stageWith(line)?.isEdited).toBe(true));

  test.each([
    `RUN sed -i 's/dl-cdn.alpinelinux.org/mirrors.aliyun.com/' ${list}`,
    `RUN sed -i 's/dl-cdn.alpinelinux.org/10.0.3.2/' ${list}`,
    `RUN sed -i 's/https/http/' ${list}`,
    `RUN sed -i "s|http:|https:|; s|dl-cdn.alpinelinux.org|$MIRROR|" ${list}`,
    `RUN sed -i 's/v3/edge/' /etc/motd; sed -i s/http:/https:/ ${list}`,
    `RUN sed -i 's/v3/edge/' /etc/motd\nRUN cat ${list}`,
    `RUN sed -i ${list} -e s/http:/https:/ && echo 's/v3.22/edge/'`,
    `RUN cat ${list}`,
    `RUN cp ${list} /tmp/list`,
    `RUN cp ${list} ${list}.bak`,
    `COPY acme.rsa.pub /etc/apk/keys/`,
    `COPY --from=a ${list} /tmp/list`,
    `COPY --from=a --chmod=644 \\\n  ${list} /rootfs${list}`,
    `RUN wget -O /etc/apk/keys/acme.rsa.pub https://example.com/key && cat ${list}`,
    'RUN --mount=type=cache,target=/etc/apk/cache apk add git',
    'RUN rm -rf /etc/apk/cache',
    'WORKDIR /etc/apk/keys',
    `RUN apk --repositories-file=${list} add git`,
    `# COPY repositories ${list}`,
    `RUN reinstall x ${list}`,
    `RUN awk '{ print $1 }' ${list}`,
    `RUN python3 -c "open('${list}.bak', 'w').write(text)"`,
    `RUN apk add ed patch && cat ${list}`,
    `RUN perl -pi -e 's/dl-cdn.alpinelinux.org/mirrors.aliyun.com/' ${list}`,
  ])('%s: not edited', (line) =>
    expect(stageWith(line)).toMatchObject({ isEdited: false, isReplaced: false }),
  );

  test.each([
    `RUN echo https://apks.example.com/os > ${list}.d/acme.list`,
    `RUN echo "https://apks.example.com/os" >"${list}.d/acme.list"`,
    `RUN echo https://apks.example.com/os >> ${list}.d/acme.list`,
    `RUN echo https://apks.example.com/os | tee ${list}.d/acme.list`,
    `RUN echo https://apks.example.com/os | tee -a ${list}`,
  ])('%s: added', (line) =>
    expect(stageWith(line)).toMatchObject({
      isEdited: false,
      isReplaced: false,
      repositories: [{ address: 'https://apks.example.com/os' }],
    }),
  );

  test.each([`RUN cat x > ${list}`, `RUN cat x >"${list}"; apk update`, `RUN (cat x)>${list}`])(
    '%s: overwritten',
    (line) => expect(stageWith(line)?.isReplaced).toBe(true),
  );

  test.each([
    `RUN { echo \\\n  ${main}; } > ${list}`,
    `RUN echo $HOME && echo ${main} > ${list}`,
    `RUN echo $'${main}\\n' > ${list}`,
    `RUN (echo $HOME); echo ${main} > ${list}`,
    `RUN : > ${list}; echo "${main}" >> ${list}`,
  ])('%s: overwritten by what can be read', (line) =>
    expect(stageWith(line)).toMatchObject({ isReplaced: true, isEdited: false, repositories: [plain] }),
  );

  test(`another file beside the list is not the list`, () =>
    expect(stageWith(`RUN cat ${list} > ${list}.bak`)?.isReplaced).toBe(false));
});

test('a context that would be too long is cut', () => {
  const bounded = (text: string): string => encodeURIComponent(text).replace(new RegExp(TOO_LONG, 'g'), CUT);
  for (const text of ['a', ' ', 'é', "FROM alpine:3.22 AS '!~*()\n"]) {
    const most = Math.floor(MAX_CONTEXT / encodeURIComponent(text).length);
    expect(bounded(text.repeat(most))).toBe(encodeURIComponent(text.repeat(most)));
    expect(bounded(text.repeat(most + 1))).toBe(CUT);
  }
});

test('an image may be quoted', () => {
  const dockerfile = parseDockerfile(excerptOf('ARG V=3.22\nFROM "alpine:${V}" AS a\nFROM a'));
  expect(dockerfile.stages.map((_, i) => baseOf(dockerfile, i)?.image)).toEqual([
    'alpine:3.22',
    'alpine:3.22',
  ]);
});

test('ARG lines around a line that does not belong in front of the first FROM do not count', () => {
  const file = 'ARG A=alpine:3.22\nLABEL x=y\nARG B=alpine:3.24\nFROM $A\nFROM $B\nFROM alpine:3.20';
  const dockerfile = parseDockerfile(excerptOf(file));
  expect(dockerfile.stages.map((_, i) => baseOf(dockerfile, i)?.image)).toEqual(['$A', '$B', 'alpine:3.20']);
});

test('without a change of repositories, the short expression makes the same excerpt', () => {
  const words = [
    ...[
      'FROM alpine:3.22',
      'from a AS b',
      'ARG A=1',
      'RUN',
      'COPY --from=a',
      '# FROM c',
      '{% if x %}',
      '\n',
      '\r\n',
    ],
    ...[
      '\\\n',
      '\\ \n# c\n',
      ' ',
      '"',
      "'",
      '=',
      '>',
      '>>',
      '|',
      '&& apk add',
      '-X https://a.b/os git',
      '@tag',
    ],
    ...[
      'sed -i "s/v3.22/edge/"',
      'tee -a',
      'rm',
      'repositories',
      '/main',
      'https://a.b/main',
      'curl -o',
      '<',
      '<<EOF',
      '<<EOF\n',
    ],
  ];
  const short = (file: string): string =>
    file.replace(new RegExp(COMMENTS), '').replace(new RegExp(FROM_LINES_ONLY, 'g'), FROM_LINES_KEPT);
  const files = fc
    .array(fc.constantFrom(...words), { maxLength: 30 })
    .map((all) => all.join(' '))
    .filter((file) => !new RegExp(CHANGE).test(file));
  fc.assert(
    fc.property(files, (file) => {
      expect(short(file)).toBe(excerptOf(file));
    }),
    // Chance rarely makes these.
    {
      numRuns: 1000,
      examples: [['FROM a\n# see <<EOF\nFROM b\nEOF\n'], ['FROM a\nRUN x < y <<EOF\nFROM b\nEOF\n']],
    },
  );
  expect(short('ARG A=1\nFROM alpine:$A\nRUN x\nFROM b')).toBe('ARG A=1\nFROM alpine:$A\nFROM b');
});

test('any text is read, and an expansion ends', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 300, unit: fc.constantFrom(...'FROM ARG=${}:-+@\n\\"\'>/ahtps.1'.split('')) }),
      (text) => {
        const dockerfile = parseDockerfile(excerptOf(`FROM a\n${text}`));
        for (const [i] of dockerfile.stages.entries()) baseOf(dockerfile, i);
      },
    ),
  );
  expect(
    expand(
      '$A',
      new Map([
        ['A', '$B'],
        ['B', '$A'],
      ]),
    ),
  ).toBeUndefined();
});

test.each([
  ' sed edge',
  ` sed ' edge '`,
  ' sed /etc/apk/repositories -e',
  ' sed -e -e',
  ' sed "edge',
  `"`,
  `'`,
  '=http://abc',
  ' http://abc \\\n',
  '"\\n',
  '>> /etc/apk/repositories\nhttp://abc',
  '\\\n#',
  ' cp a \\\n# b\n',
  ' cd /etc/apk;',
  '\nCOPY a \\',
  '\nCOPY --a=b \\\n',
  ';',
])('%j, many times, is read in the time of a test', (text) => {
  const file = `FROM alpine:3.22\nRUN sed edge ${text.repeat(16_000 / text.length)}\nRUN true`;
  expect(excerptOf(file)).toContain('FROM alpine:3.22');
});
